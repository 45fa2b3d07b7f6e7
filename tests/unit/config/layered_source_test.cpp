#include "config/layered_source.hpp"

#include "config/json_reader.hpp"
#include "config/known_keys.hpp"
#include "unit/config/config_fixture.hpp"

namespace hpb::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using LayeredSourceTest = ConfigTest;

std::string value(const LayeredSource& source, std::string_view path) {
    const Setting* setting = source.find(path);
    return setting == nullptr ? "(absent)" : setting->value;
}

TEST(JsonReader, FlattensWithNumbersForItems) {
    const auto file = read_json_file(R"({"A":{"b":[1,{"c":"x"},true,null,-2.5e3]}})");
    ASSERT_TRUE(file.problems.empty());
    std::vector<std::string> lines;
    for (const auto& setting : file.settings) lines.push_back(setting.path + "=" + setting.value);
    EXPECT_THAT(lines, ElementsAre("A:b:0=1", "A:b:1:c=x", "A:b:2=True", "A:b:3=", "A:b:4=-2.5e3"));
}

TEST(JsonReader, AcceptsCommentsTrailingCommasAndByteOrderMark) {
    const auto file = read_json_file(
        "\xef\xbb\xbf// first\n{ /* a */ \"A\": [ 1, 2, ], // b\n \"B\": \"c\", }\n// last\n/* end "
        "*/ ");
    EXPECT_TRUE(file.problems.empty())
        << file.problems[0].what << " line " << file.problems[0].line;
    EXPECT_EQ(file.settings.size(), 3u);
}

/// F8
TEST(JsonReader, NamesUtf16) {
    using namespace std::string_view_literals;
    for (const auto text : {"\xff\xfe{\0}\0"sv, "\xfe\xff\0{\0}"sv, "{\0}\0"sv, "\0{\0}"sv}) {
        const auto file = read_json_file(text);
        ASSERT_EQ(file.problems.size(), 1u);
        EXPECT_THAT(file.problems[0].what, HasSubstr("the file is UTF-16; save it as UTF-8"));
    }
}

TEST(JsonReader, KnowsLines) {
    const auto file =
        read_json_file("{\n\n \"A\": 1,\n \"B\":\n  \"x\",\n \"C\\u0041\": [\n 1,\n 2 ]}");
    ASSERT_EQ(file.settings.size(), 4u);
    EXPECT_EQ(file.settings[0].line, 3u);
    EXPECT_EQ(file.settings[1].line, 5u);
    EXPECT_EQ(file.settings[2].path, "CA:0");
    EXPECT_EQ(file.settings[3].line, 8u);
}

TEST(JsonReader, SameKeyTwiceIsAnErrorWhateverItsCase) {
    const auto file = read_json_file("{\"A\":{\"b\":1},\n\"a\":{\"B\":2}}");
    ASSERT_EQ(file.problems.size(), 1u);
    EXPECT_EQ(file.problems[0].line, 2u);
    EXPECT_EQ(file.problems[0].path, "a:B");
}

TEST(JsonReader, PlacesSyntaxErrors) {
    const auto file = read_json_file("{\n \"A\": 1\n \"B\": 2\n}");
    ASSERT_EQ(file.problems.size(), 1u);
    EXPECT_EQ(file.problems[0].line, 3u);
    EXPECT_THAT(file.problems[0].what, HasSubstr("not JSON"));
}

TEST(JsonReader, RefusesWhatIsNoConfiguration) {
    for (const std::string text : {"", "  ", "[]", "1", "\"x\"", "null", "{", "{}{}", "{} x",
                                   "{\"a\":}", "{\"a\":\"\xff\"}", "\xff\xfe{\0}\0", "{'a':1}"}) {
        const auto file = read_json_file(text);
        EXPECT_EQ(file.problems.size(), 1u) << text;
    }
    EXPECT_EQ(read_json_file(std::string(kMaxFileSize + 1, ' ')).problems.size(), 1u);
    std::string deep;
    for (int i = 0; i < 40; ++i) deep += "{\"a\":";
    EXPECT_EQ(read_json_file(deep).problems.size(), 1u);
    std::string wide = "{\"" + std::string(600, 'k') + "\":1}";
    EXPECT_EQ(read_json_file(wide).problems.size(), 1u);
}

TEST(JsonReader, KeepsUserMetadataWhole) {
    const auto file = read_json_file(
        R"({"relay":{"hybridconnections":{"a/b":{"usermetadata":[ {"key": 5011, "v":"x\"\n"}, [], {},)"
        R"( true, null, /*c*/ 1.50, ], "RequiresClientAuthorization": false}}}})");
    ASSERT_TRUE(file.problems.empty());
    std::string json;
    for (const auto& setting : file.settings) {
        if (setting.is_json) json = setting.value;
    }
    EXPECT_EQ(json, R"([{"key":5011,"v":"x\"\n"},[],{},true,null,1.50])");
    EXPECT_EQ(file.settings.back().path, "relay:hybridconnections:a/b:RequiresClientAuthorization");
}

TEST_F(LayeredSourceTest, LaterLayersWinKeyByKey) {
    write("program/appsettings.json",
          R"({"PortBridge":{"A":"1","B":"1","C":"1","D":"1","E":"1","F":"1","G":"1"}})");
    write("settings/appsettings.json",
          R"({"portbridge":{"b":"2","C":"2","D":"2","E":"2","F":"2","G":"2"}})");
    write("secrets/appsettings.json",
          R"({"PortBridge":{"C":"3","D":"3","E":"3","F":"3","G":"3"}})");
    write("program/appsettings.Test.json", R"({"PortBridge":{"D":"4","E":"4","F":"4","G":"4"}})");
    inputs.environment = {
        {"Hosting:Environment", "Test"}, {"PORTBRIDGE__E", "5"}, {"PortBridge:F", "5"},
        {"PortBridge__G", "5"},          {"Other__X", "5"},      {"PORTBRIDGE", "5"}};
    inputs.arguments = {"--PortBridge:F=6", "/PortBridge:G", "6"};
    inputs.flags = {{"PortBridge:G", "7", "--flag"}};
    const auto source = load();
    EXPECT_TRUE(diagnostics.ok()) << errors();
    std::string all;
    for (const char* key : {"A", "B", "C", "D", "E", "F", "G"}) {
        all += value(source, std::string("PORTBRIDGE:") + key);
    }
    EXPECT_EQ(all, "1234567");
    EXPECT_EQ(source.find("PortBridge:G")->origin, "command line --flag");
    EXPECT_EQ(source.find("PortBridge:E")->origin, "environment");
    EXPECT_EQ(value(source, "Other:X"), "(absent)");
    EXPECT_EQ(value(source, "PortBridge"), "(absent)");
}

/// D10, for the files themselves: .NET's reader of configuration files takes the same.
TEST_F(LayeredSourceTest, FilesAreReadAsDotnetReadsThem) {
    const auto source = load(
        "{ // note: 'a'\n PortBridge : { 'A': 'it\\'s \"b\"', /* {c: 'd'} */ $B_1: 0x1393,\n"
        "  C: \"x:'y'\", PortMappings: { 5021: { D: 010, E: undefined, F: -1.5e3, G: true } }, "
        "}\n}");
    EXPECT_TRUE(diagnostics.ok()) << errors();
    EXPECT_EQ(value(source, "PortBridge:A"), "it's \"b\"");
    EXPECT_EQ(value(source, "PortBridge:$B_1"), "5011");
    EXPECT_EQ(value(source, "PortBridge:C"), "x:'y'");
    EXPECT_EQ(value(source, "PortBridge:PortMappings:5021:D"), "8");
    EXPECT_EQ(value(source, "PortBridge:PortMappings:5021:E"), "");
    EXPECT_EQ(value(source, "PortBridge:PortMappings:5021:F"), "-1.5e3");
    EXPECT_EQ(value(source, "PortBridge:PortMappings:5021:G"), "True");
    EXPECT_THAT(source.find("PortBridge:C")->origin, HasSubstr("appsettings.json:3"));
}

/// D10: what .NET does not take either is told with its place.
TEST_F(LayeredSourceTest, WhatNobodyTakesIsAnError) {
    for (const char* text : {"{ A: simple }", "{ 'A: 1 }", "{ \xe2\x80\x9cX\xe2\x80\x9d: 1 }",
                             "{ A 1 }", "{ A: 1 B: 2 }", "{ 'A': '\\q' }", "{ A: 08 }",
                             "{ A-B: 1 }", "{ /* A: 1 }", "{ A: 'x\\"}) {
        diagnostics = {};
        (void)load(text);
        ASSERT_EQ(diagnostics.errors.size(), 1u) << text;
        EXPECT_THAT(errors(), HasSubstr("appsettings.json:1: ")) << text;
        EXPECT_THAT(errors(), HasSubstr("not JSON")) << text;
    }
}

TEST_F(LayeredSourceTest, ArraysMergeByNumber) {
    write("program/appsettings.json", R"({"PortBridge":{"EntityPaths":["a","b","c"]}})");
    write("settings/appsettings.json", R"({"PortBridge":{"EntityPaths":["x"]}})");
    const auto source = load();
    EXPECT_EQ(value(source, "PortBridge:EntityPaths:0"), "x");
    EXPECT_EQ(value(source, "PortBridge:EntityPaths:2"), "c");
}

TEST_F(LayeredSourceTest, ChildrenAreInNumericOrder) {
    const auto source =
        load(R"({"PortBridge":{"PortMappings":{"10":{"A":1},"9":{"A":1},"x":{"A":1},"B":{}}}})");
    EXPECT_THAT(source.children("portbridge:portmappings"), ElementsAre("9", "10", "B", "x"));
    EXPECT_TRUE(source.children("PortBridge:Nothing").empty());
    EXPECT_TRUE(source.has("PortBridge"));
    EXPECT_FALSE(source.has("PortBridg"));
}

TEST_F(LayeredSourceTest, ConfigFileTakesTheFirstPlaceAndMustExist) {
    write("program/appsettings.json", R"({"PortBridge":{"A":"program"}})");
    inputs.config_file = write("mine.json", R"({"PortBridge":{"A":"mine"}})");
    write("appsettings.Test.json", R"({"PortBridge":{"B":"beside"}})");
    inputs.environment = {{"Hosting__Environment", "Test"}};
    const auto source = load();
    EXPECT_EQ(value(source, "PortBridge:A"), "mine");
    EXPECT_EQ(value(source, "PortBridge:B"), "beside");
    EXPECT_EQ(source.find("PortBridge:A")->directory, directory);
    ASSERT_TRUE(diagnostics.ok()) << errors();

    inputs.config_file = directory / "absent.json";
    (void)load();
    EXPECT_THAT(errors(), HasSubstr("absent.json: can't be read: No such file"));
}

TEST_F(LayeredSourceTest, FolderInPlaceOfAFileIsOneClearError) {
    inputs.config_file = directory;
    (void)load();
    ASSERT_EQ(diagnostics.errors.size(), 1u);
    EXPECT_THAT(errors(), HasSubstr("can't be read: Is a directory"));
}

TEST_F(LayeredSourceTest, ConnectionStringVariable) {
    inputs.environment = {{"HPB_CONNECTION_STRING", "Endpoint=sb://x/"}};
    EXPECT_EQ(value(load(), "PortBridge:ServiceNamespace:ConnectionString"), "Endpoint=sb://x/");
}

TEST_F(LayeredSourceTest, ArgumentWithoutValueIsAnError) {
    inputs.arguments = {"--PortBridge:A"};
    (void)load();
    EXPECT_THAT(errors(), HasSubstr("command line: PortBridge:A: the key has no value"));
}

/// D11: a warning that names the key, and never the value, which may be secret.
TEST_F(LayeredSourceTest, OtherProgramsKeysAreWarnings) {
    inputs.other_keys = {"Logging:LogLevel:Default", "PortBrigde:PortMappings:1:EntityPath"};
    (void)load();
    EXPECT_TRUE(diagnostics.ok()) << errors();
    EXPECT_THAT(warnings(), HasSubstr("command line: Logging:LogLevel:Default: not a key of hpb, "
                                      "it has no effect; remove it"));
    EXPECT_THAT(warnings(), HasSubstr("did you mean PortBridge?"));
}

TEST(SettingArgument, OnlyOurSections) {
    for (const char* yes : {"--PortBridge:A=1", "--portbridge:A", "/Relay:Threads", "/serilog:x=1",
                            "AgentMetrics:A=b", "--PortBridge:A:B=c:d"}) {
        EXPECT_TRUE(is_setting_argument(yes)) << yes;
    }
    for (const char* no : {"--relay", "PortBridge:A", "--Other:A=1", "-PortBridge:A=1",
                           "simple:5011/x:1", "--rule=PortBridge:A", "PortBridge=A:b", ""}) {
        EXPECT_FALSE(is_setting_argument(no)) << no;
    }
}

using KnownKeysTest = ConfigTest;

TEST_F(KnownKeysTest, SuggestsTheNearest) {
    const auto source = load(R"({
      "PortBrigde": {}, "Logging": {"X": 1},
      "PortBridge": { "PortMappings": { "5021": { "EntityPth": "a", "EntityPath": "a" } },
                      "ServiceNamspace": { "AccessRuleName": "x" }, "Banana": 1 },
      "Serilog": {"WriteTo": [ {"Name": "Console", "Args": {"anything": {"goes": 1}}} ]} })");
    check_known_keys(source, diagnostics);
    EXPECT_TRUE(diagnostics.ok()) << errors();
    EXPECT_EQ(diagnostics.warnings.size(), 4u) << warnings();
    EXPECT_THAT(warnings(), HasSubstr("PortBridge:PortMappings:5021:EntityPth: unknown key"));
    EXPECT_THAT(warnings(), HasSubstr("did you mean PortBridge:PortMappings:5021:EntityPath?"));
    EXPECT_THAT(
        warnings(),
        HasSubstr("PortBrigde: unknown section, it has no effect; did you mean PortBridge?"));
    EXPECT_THAT(warnings(), HasSubstr("did you mean PortBridge:ServiceNamespace?"));
    EXPECT_THAT(warnings(),
                HasSubstr("PortBridge:Banana: unknown key, it has no effect; remove it"));
}

TEST_F(KnownKeysTest, ValueInPlaceOfASectionIsAnError) {
    const auto source =
        load(R"({"PortBridge": {"PortMappings": {"5021": "simple"}, "EntityPaths": null},
                                 "Relay": {"HostNames": "a", "Tls": "x"}})");
    check_known_keys(source, diagnostics);
    EXPECT_THAT(errors(),
                HasSubstr("PortBridge:PortMappings:5021: a single value does not fit here"));
    EXPECT_THAT(errors(),
                HasSubstr("Relay:Tls: a single value does not fit here; write an object"));
    EXPECT_EQ(diagnostics.errors.size(), 2u) << errors();
    EXPECT_TRUE(diagnostics.warnings.empty()) << warnings();
}

}  // namespace
}  // namespace hpb::config
