# Everything that is built is instrumented, or nothing is: these flags are global on purpose.
if(HPB_SANITIZE)
  add_compile_options(-fsanitize=${HPB_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${HPB_SANITIZE})
endif()
if(HPB_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
