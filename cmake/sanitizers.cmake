# Everything that is built is instrumented, or nothing is: these flags are global on purpose.
if(HPB_SANITIZE)
  add_compile_options(-fsanitize=${HPB_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${HPB_SANITIZE})
endif()
# Little of ours and much of a library's templates: not worth the time to optimise, be it in what does not ship or
# in builds that do not.
function(hpb_quick)
  # A precompiled header is for one level of optimisation.
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "-O0;-U_FORTIFY_SOURCE"
    SKIP_PRECOMPILE_HEADERS ON)
endfunction()
function(hpb_quick_when_sanitized)
  if(HPB_SANITIZE)
    hpb_quick(${ARGN})
  endif()
endfunction()
if(HPB_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
