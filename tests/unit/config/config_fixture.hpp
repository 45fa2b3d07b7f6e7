#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "config/layered_source.hpp"

namespace hpb::config {

/// A folder for each test, with inputs that see nothing of the machine outside it.
class ConfigTest : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "hpb-config-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        directory = name;
        for (const char* folder : {"program", "settings", "secrets"}) {
            std::filesystem::create_directory(directory / folder);
        }
        inputs.program_directory = directory / "program";
        inputs.settings_directory = directory / "settings";
        inputs.secrets_directory = directory / "secrets";
    }
    void TearDown() override { std::filesystem::remove_all(directory); }

    std::filesystem::path write(const std::filesystem::path& name, std::string_view text,
                                mode_t mode = 0600) const {
        const auto path = directory / name;
        std::ofstream(path, std::ios::binary) << text;
        EXPECT_EQ(::chmod(path.c_str(), mode), 0);
        return path;
    }
    LayeredSource load() { return load_layers(inputs, diagnostics); }
    LayeredSource load(std::string_view main_file) {
        write("program/appsettings.json", main_file);
        return load();
    }

    static std::string text_of(const std::vector<Problem>& problems) {
        std::string out;
        for (const auto& problem : problems) out += problem.to_string() + "\n";
        return out;
    }
    std::string errors() const { return text_of(diagnostics.errors); }
    std::string warnings() const { return text_of(diagnostics.warnings); }

    std::filesystem::path directory;
    SourceInputs inputs;
    Diagnostics diagnostics;
};

}  // namespace hpb::config
