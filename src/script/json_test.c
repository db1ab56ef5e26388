#include "script/json.h"

#include "base/buf.h"
#include "base/random.h"
#include "test/lib/vm.h"

#include <math.h>

static void vm_open(struct vm *vm)
{
    vm_open_with(vm, script_json_open, "cjson");
}

/* Evaluates expressions one by one, each in a VM with the settings of a new one. */
static bool all_show(const struct example *examples, size_t count)
{
    struct vm vm;
    bool good = true;

    vm_open(&vm);
    for (size_t i = 0; i < count; i++) {
        good = vm_shows(&vm, examples[i].expression, examples[i].shown) && good;
        script_json_reset(vm.lua);
    }
    vm_close(&vm);
    return good;
}

#define ALL_SHOW(examples) all_show(examples, sizeof(examples) / sizeof(examples)[0])

TEST(the_library_names_itself)
{
    static const struct example examples[] = {
        {"cjson._NAME", "cjson"},
        {"cjson._VERSION", "2.1.0"},
        {"type(cjson.null)", "userdata"},
        {"tostring(cjson.null == cjson.new().null)", "true"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(plain_values_are_encoded)
{
    static const struct example examples[] = {
        {"cjson.encode(nil)", "null"},
        {"cjson.encode(cjson.null)", "null"},
        {"cjson.encode(true)", "true"},
        {"cjson.encode(false)", "false"},
        {"cjson.encode('')", "\"\""},
        {"cjson.encode('text')", "\"text\""},
        {"cjson.encode('a/b\\\\\"')", "\"a\\/b\\\\\\\"\""},
        {"cjson.encode('\\b\\t\\n\\f\\r\\v\\0\\1\\31\\127\\128\\255')",
         "\"\\b\\t\\n\\f\\r\\u000b\\u0000\\u0001\\u001f\\u007f\x80\xff\""},
        {"cjson.encode('eight by/es, and more')", "\"eight by\\/es, and more\""},
        {"#cjson.encode(('\\0'):rep(5000))", "30002"},
        {"#cjson.encode(('x'):rep(5000))", "5002"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(numbers_are_encoded_with_14_digits)
{
    static const struct example examples[] = {
        {"cjson.encode({0, -7, 99999999999999, 1e14, -1e14})",
         "[0,-7,99999999999999,1e+14,-1e+14]"},
        {"cjson.encode(0 / -1)", "-0"},
        {"cjson.encode({0.1, 1/3, -2.5, 1e-3, 1e-5})", "[0.1,0.33333333333333,-2.5,0.001,1e-05]"},
        {"cjson.encode({1e300, 5e-324})", "[1e+300,4.9406564584125e-324]"},
        {"cjson.encode(123456789012.345)", "123456789012.35"},
        {"cjson.encode({9999999999999.96, 0.099999999999999999})", "[10000000000000,0.1]"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(tables_are_encoded_as_arrays_or_objects)
{
    static const struct example examples[] = {
        {"cjson.encode({})", "{}"},
        {"cjson.encode({1, 'b', true, {}, {2, {x = 3}}})", "[1,\"b\",true,{},[2,{\"x\":3}]]"},
        {"cjson.encode({1, nil, 3})", "[1,null,3]"},
        {"cjson.encode({nil, nil, 3})", "[null,null,3]"},
        {"cjson.encode({[1] = 1, [10] = 2})", "[1,null,null,null,null,null,null,null,null,2]"},
        {"cjson.encode({1, cjson.null})", "[1,null]"},
        {"cjson.encode({[0] = 1})", "{\"0\":1}"},
        {"cjson.encode({[-1] = 1})", "{\"-1\":1}"},
        {"cjson.encode({[1.5] = 1})", "{\"1.5\":1}"},
        {"cjson.encode({[1e10] = 1})", "{\"10000000000\":1}"},
        {"cjson.encode({[2^31] = 1})", "{\"2147483648\":1}"},
        {"cjson.encode({['a/b'] = {c = false}})", "{\"a\\/b\":{\"c\":false}}"},
        {"cjson.decode(cjson.encode({1, 2, {3}, x = 4}))", "{1=1,2=2,3={1=3},x=4}"},
        {"cjson.encode(setmetatable({}, {__index = function() return 1 end}))", "{}"},
    };

    CHECK(ALL_SHOW(examples));
}

/* Where no two keys have one place in a table of Lua 5.1, as in Redis. */
TEST(the_pairs_of_an_object_have_one_order)
{
    static const struct example examples[] = {
        {"cjson.encode({x=1,y=5})", "{\"y\":5,\"x\":1}"},
        {"cjson.encode({name='a',id=1})", "{\"id\":1,\"name\":\"a\"}"},
        {"cjson.encode({a={d=1,c=2},b={}})", "{\"a\":{\"c\":2,\"d\":1},\"b\":{}}"},
        {"cjson.encode({f=1,b=1,h=1,d=1,a=1,g=1,c=1,e=1})",
         "{\"a\":1,\"h\":1,\"c\":1,\"b\":1,\"e\":1,\"d\":1,\"g\":1,\"f\":1}"},
        {"cjson.encode({x={1,y=2},7})", "{\"1\":7,\"x\":{\"1\":1,\"y\":2}}"},
    };

    CHECK(ALL_SHOW(examples));
}

/* The same pairs, put into a table in two orders, and between others that go again. */
TEST(the_order_of_pairs_comes_from_their_keys_alone)
{
    static const char script[] = "local count = tonumber((...))\n"
                                 "local a, b, keys = {}, {}, {}\n"
                                 "for i = 1, count do keys[i] = string.rep('k', i % 40) .. i end\n"
                                 "for i = 1, count do a[keys[i]] = {v = i, w = -i} end\n"
                                 "for i = 1, count do b[keys[i] .. 'x'] = 1 end\n"
                                 "for i = count, 1, -1 do b[keys[i]] = {w = -i, v = i} end\n"
                                 "for i = 1, count do b[keys[i] .. 'x'] = nil end\n"
                                 "return cjson.encode(a) == cjson.encode(b)\n";
    static const char *const counts[] = {"1", "2", "3", "20", "24", "25", "26", "1000"};
    struct vm vm;

    vm_open(&vm);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        CHECK(vm_holds(&vm, script, counts[i], strlen(counts[i])));
    }
    vm_close(&vm);
}

TEST(what_has_no_json_is_refused)
{
    static const struct example examples[] = {
        {"cjson.encode(print)", "Cannot serialise function: type not supported"},
        {"cjson.encode({1, print})", "Cannot serialise function: type not supported"},
        {"cjson.encode({x = coroutine.create(print)})",
         "Cannot serialise thread: type not supported"},
        {"cjson.encode(io.stdout)", "Cannot serialise userdata: type not supported"},
        {"cjson.encode({1ULL})", "Cannot serialise cdata: type not supported"},
        {"cjson.encode(0/0)", "Cannot serialise number: must not be NaN or Inf"},
        {"cjson.encode({1, 1/0})", "Cannot serialise number: must not be NaN or Inf"},
        {"cjson.encode({[1/0] = 1})", "Cannot serialise number: must not be NaN or Inf"},
        {"cjson.encode({[true] = 1})",
         "Cannot serialise boolean: table key must be a number or string"},
        {"cjson.encode({[1] = 1, [11] = 2})", "Cannot serialise table: excessively sparse array"},
        {"cjson.encode({print, [11] = 2})", "Cannot serialise table: excessively sparse array"},
        {"cjson.encode({[2^31 - 1] = 1})", "Cannot serialise table: excessively sparse array"},
        {"#cjson.encode(nested(1000))", "2000"},
        {"cjson.encode(nested(1001))", "Cannot serialise, excessive nesting (1001)"},
        {"cjson.encode()", "bad argument #1 to 'encode' (expected 1 argument)"},
        {"cjson.encode(1, 2)", "bad argument #1 to 'encode' (expected 1 argument)"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(documents_are_decoded)
{
    static const struct example examples[] = {
        {"cjson.decode('null')", "null"},
        {"cjson.decode(' true ')", "true"},
        {"cjson.decode('\\t\\r\\n false')", "false"},
        {"cjson.decode(12)", "12"},
        {"cjson.decode('[]')", "{}"},
        {"cjson.decode('{ }')", "{}"},
        {"cjson.decode('[1, [2,[]],{\"a\" : {\"b\":null}} ]')",
         "{1=1,2={1=2,2={}},3={a={b=null}}}"},
        {"cjson.decode('[1,2,3,4,5,6,7,8,9]')", "{1=1,2=2,3=3,4=4,5=5,6=6,7=7,8=8,9=9}"},
        {"cjson.decode('{\"a\":1,\"b\":2,\"a\":3}')", "{a=3,b=2}"},
        {"cjson.decode('{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"a\":9}'"
         ")",
         "{a=9,b=1,c=1,d=1,e=1,f=1,g=1,h=1}"},
        {"cjson.decode('{\"1\":true}')['1']", "true"},
        {"cjson.decode('[1]\\0 is the end')", "{1=1}"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(strings_are_decoded)
{
    static const struct example examples[] = {
        {"cjson.decode('\"\"')", ""},
        {"cjson.decode('\"plain text, not so short\"')", "plain text, not so short"},
        {"cjson.decode([[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]])", "\"\\/\b\f\n\r\t"},
        {"cjson.decode([[\"\\u0041\\u00e9\\u20aC\\ud83D\\uDE00!\"]])", "A\u00e9\u20ac\U0001f600!"},
        {"#cjson.decode([[\"\\u0000\"]])", "1"},
        {"cjson.decode('\"\\1\\n\\255\"')", "\1\n\xff"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(numbers_are_decoded_as_strtod_reads_them)
{
    static const struct example examples[] = {
        {"cjson.decode('[0,-0.5,3.25,1e2,1.5E-3]')", "{1=0,2=-0.5,3=3.25,4=100,5=0.0015}"},
        {"cjson.decode('[1.,-.5,007,+1,0x1F,0x1p4]')", "{1=1,2=-0.5,3=7,4=1,5=31,6=16}"},
        {"cjson.decode('[inf,-Infinity,+INF,1e999]')", "{1=inf,2=-inf,3=inf,4=inf}"},
        {"tostring(cjson.decode('nan') ~= cjson.decode('nan'))", "true"},
        {"type(cjson.decode('-nan(0xfffffffffffff)'))", "number"},
        {"1 / cjson.decode('-0')", "-inf"},
        {"cjson.decode('1' .. ('0'):rep(300))", "1e+300"},
        {"cjson.decode('0.1') == 0.1", "true"},
        {"cjson.decode('123456789012345678') == 123456789012345678", "true"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(broken_documents_are_refused)
{
    static const struct example examples[] = {
        {"cjson.decode('')", "Expected value but found T_END at character 1"},
        {"cjson.decode('[1,]')", "Expected value but found T_ARR_END at character 4"},
        {"cjson.decode('[1 2]')", "Expected comma or array end but found T_NUMBER at character 4"},
        {"cjson.decode('[1,2')", "Expected comma or array end but found T_END at character 5"},
        {"cjson.decode('[1}')", "Expected comma or array end but found T_OBJ_END at character 3"},
        {"cjson.decode('{1:2}')", "Expected object key string but found T_NUMBER at character 2"},
        {"cjson.decode('{,}')", "Expected object key string but found T_COMMA at character 2"},
        {"cjson.decode('{\"a\" true}')", "Expected colon but found T_BOOLEAN at character 6"},
        {"cjson.decode('{\"a\" null}')", "Expected colon but found T_NULL at character 6"},
        {"cjson.decode('{\"a\":}')", "Expected value but found T_OBJ_END at character 6"},
        {"cjson.decode('{\"a\":1 \"b\"}')",
         "Expected comma or object end but found T_STRING at character 8"},
        {"cjson.decode('{\"a\":1,}')",
         "Expected object key string but found T_OBJ_END at character 8"},
        {"cjson.decode('1 [')", "Expected the end but found T_ARR_BEGIN at character 3"},
        {"cjson.decode('1 {')", "Expected the end but found T_OBJ_BEGIN at character 3"},
        {"cjson.decode(':')", "Expected value but found T_COLON at character 1"},
        {"cjson.decode('truth')", "Expected value but found invalid token at character 1"},
        {"cjson.decode('truex')", "Expected the end but found invalid token at character 5"},
        {"cjson.decode('[-]')", "Expected value but found invalid number at character 2"},
        {"cjson.decode('+')", "Expected value but found invalid number at character 1"},
        {"cjson.decode('0x')", "Expected the end but found invalid token at character 2"},
        {"cjson.decode('1e')", "Expected the end but found invalid token at character 2"},
        {"cjson.decode('1\\0')", "JSON parser does not support UTF-16 or UTF-32"},
        {"cjson.decode('\\0a')", "JSON parser does not support UTF-16 or UTF-32"},
        {"cjson.decode('\\0')", "Expected value but found T_END at character 1"},
        {"cjson.decode()", "bad argument #1 to 'decode' (expected 1 argument)"},
        {"cjson.decode('1', 2)", "bad argument #1 to 'decode' (expected 1 argument)"},
        {"cjson.decode({})", "bad argument #1 to 'decode' (string expected, got table)"},
        {"cjson.decode(('['):rep(1001))",
         "Found too many nested data structures (1001) at character 1001"},
        {"cjson.decode(('{\"a\":'):rep(1001))",
         "Found too many nested data structures (1001) at character 5001"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(broken_strings_are_refused)
{
    static const struct example examples[] = {
        {"cjson.decode('\"ab')",
         "Expected value but found unexpected end of string at character 4"},
        {"cjson.decode('\"ab\\0\"')",
         "Expected value but found unexpected end of string at character 4"},
        {"cjson.decode('[1 \"ab')",
         "Expected comma or array end but found unexpected end of string at character 7"},
        {"cjson.decode('{\"ab')",
         "Expected object key string but found unexpected end of string at character 5"},
        {"cjson.decode([[\"a\\]])", "Expected value but found invalid escape code at character 3"},
        {"cjson.decode([[\"\\na\\x\"]])",
         "Expected value but found invalid escape code at character 5"},
        {"cjson.decode([[\"\\u00g0\"]])",
         "Expected value but found invalid unicode escape code at character 2"},
        {"cjson.decode([[\"\\u12]])",
         "Expected value but found invalid unicode escape code at character 2"},
        {"cjson.decode([[\"\\udc00\"]])",
         "Expected value but found invalid unicode escape code at character 2"},
        {"cjson.decode([[\"\\ud800\\u0041\"]])",
         "Expected value but found invalid unicode escape code at character 2"},
        {"cjson.decode([[\"\\ud800\\n\"]])",
         "Expected value but found invalid unicode escape code at character 2"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(settings_are_checked)
{
    static const struct example examples[] = {
        {"{cjson.encode_sparse_array()}", "{1=false,2=2,3=10}"},
        {"{cjson.encode_sparse_array('on', 3, '4')}", "{1=true,2=3,3=4}"},
        {"cjson.encode_max_depth()", "1000"},
        {"cjson.encode_max_depth(1.9)", "1"},
        {"cjson.decode_max_depth()", "1000"},
        {"cjson.decode_max_depth('7')", "7"},
        {"cjson.encode_number_precision()", "14"},
        {"cjson.encode_keep_buffer()", "true"},
        {"cjson.encode_keep_buffer('off')", "false"},
        {"cjson.encode_invalid_numbers()", "false"},
        {"cjson.encode_invalid_numbers(true)", "true"},
        {"cjson.encode_invalid_numbers('null')", "null"},
        {"cjson.decode_invalid_numbers()", "true"},
        {"cjson.decode_invalid_numbers(false)", "false"},
        {"cjson.encode_max_depth(0)",
         "bad argument #1 to 'encode_max_depth' (expected integer between 1 and 2147483647)"},
        {"cjson.decode_max_depth('x')",
         "bad argument #1 to 'decode_max_depth' (number expected, got string)"},
        {"cjson.encode_max_depth(1, 2)",
         "bad argument #2 to 'encode_max_depth' (found too many arguments)"},
        {"cjson.encode_number_precision(15)",
         "bad argument #1 to 'encode_number_precision' (expected integer between 1 and 14)"},
        {"cjson.encode_sparse_array(false, -1)",
         "bad argument #1 to 'encode_sparse_array' (expected integer between 0 and 2147483647)"},
        {"cjson.encode_sparse_array('no')",
         "bad argument #1 to 'encode_sparse_array' (invalid option 'no')"},
        {"cjson.encode_sparse_array(1, 2, 3, 4)",
         "bad argument #4 to 'encode_sparse_array' (found too many arguments)"},
        {"cjson.decode_invalid_numbers('null')",
         "bad argument #1 to 'decode_invalid_numbers' (invalid option 'null')"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(settings_change_what_is_encoded)
{
    static const struct example examples[] = {
        {"cjson.encode_sparse_array(true) and cjson.encode({[100] = 1})", "{\"100\":1}"},
        {"cjson.encode_sparse_array(true) and cjson.decode(cjson.encode({5, [100] = 1}))",
         "{1=5,100=1}"},
        {"cjson.encode_sparse_array(nil, 0) or #cjson.encode({[100] = 1})", "498"},
        {"cjson.encode_sparse_array(nil, 1, 1) or cjson.encode({1, nil, 3})",
         "Cannot serialise table: excessively sparse array"},
        {"cjson.encode_max_depth(2) and cjson.encode({{}})", "[{}]"},
        {"cjson.encode_max_depth(2) and cjson.encode({{{}}})",
         "Cannot serialise, excessive nesting (3)"},
        {"cjson.encode_number_precision(3) and cjson.encode({1234, 3.14159, 999})",
         "[1.23e+03,3.14,999]"},
        {"cjson.encode_invalid_numbers('on') and cjson.encode({0/0, 1/0, -1/0})", "[nan,inf,-inf]"},
        {"cjson.encode_invalid_numbers('on') and cjson.encode({[1/0] = -1/0})", "{\"inf\":-inf}"},
        {"cjson.encode_invalid_numbers('null') and cjson.encode({0/0, 1/0})", "[null,null]"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(settings_change_what_is_decoded)
{
    static const struct example examples[] = {
        {"cjson.decode_invalid_numbers(false) or cjson.decode('[0,-0.5,10,1e5]')",
         "{1=0,2=-0.5,3=10,4=100000}"},
        {"cjson.decode_invalid_numbers(false) or cjson.decode('nan')",
         "Expected value but found invalid token at character 1"},
        {"cjson.decode_invalid_numbers(false) or cjson.decode('+1')",
         "Expected value but found invalid token at character 1"},
        {"cjson.decode_invalid_numbers(false) or cjson.decode('-inf')",
         "Expected value but found invalid number at character 1"},
        {"cjson.decode_invalid_numbers(false) or cjson.decode('0x10')",
         "Expected value but found invalid number at character 1"},
        {"cjson.decode_invalid_numbers(false) or cjson.decode('-01')",
         "Expected value but found invalid number at character 1"},
        {"cjson.decode_max_depth(2) and cjson.decode('[[]]')", "{1={}}"},
        {"cjson.decode_max_depth(2) and cjson.decode('[[[]]]')",
         "Found too many nested data structures (3) at character 3"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(a_copy_has_its_own_settings)
{
    struct vm vm;

    vm_open(&vm);
    CHECK(vm_shows(&vm, "cjson.encode_max_depth(5)", "5"));
    vm_run(&vm, "copy = cjson.new(); copy.encode_number_precision(3); return ''");
    CHECK(vm_shows(&vm, "copy.encode_max_depth()", "1000"));
    CHECK(vm_shows(&vm, "copy.encode(3.14159)", "3.14"));
    CHECK(vm_shows(&vm, "cjson.encode(3.14159)", "3.14159"));
    vm_close(&vm);
}

TEST(empty_arrays_stay_arrays_if_asked_for)
{
    struct vm vm;

    vm_open(&vm);
    CHECK(vm_shows(&vm, "cjson.encode(cjson.decode('[[],{}]'))", "[{},{}]"));
    CHECK(vm_shows(&vm, "cjson.decode_array_with_array_mt(true)", "true"));
    CHECK(vm_shows(&vm, "cjson.encode(cjson.decode('[[],{},[1]]'))", "[[],{},[1]]"));
    CHECK(vm_shows(&vm, "getmetatable(cjson.decode('[]'))", "{__is_cjson_array=true}"));
    CHECK(vm_shows(&vm, "getmetatable(cjson.decode('[1]'))", "nil"));
    vm_run(&vm, "list = cjson.decode('[]'); list[1] = 'x'; return ''");
    CHECK(vm_shows(&vm, "cjson.encode(list)", "[\"x\"]"));
    vm_run(&vm, "list[1] = nil; list.x = 1; return ''");
    CHECK(vm_shows(&vm, "cjson.encode(list)", "{\"x\":1}"));
    CHECK(vm_shows(&vm, "cjson.encode(setmetatable({}, {__is_cjson_array = true}))", "[]"));
    CHECK(vm_shows(&vm, "cjson.encode(setmetatable({}, {__is_cjson_array = false}))", "{}"));
    CHECK(
        vm_shows(&vm, "cjson.encode(setmetatable({}, {__index = {__is_cjson_array = 1}}))", "{}"));
    CHECK(vm_shows(&vm, "cjson.new().encode(cjson.new().decode('[]'))", "{}"));
    vm_close(&vm);
}

TEST(a_reset_restores_the_settings)
{
    struct vm vm;

    vm_open(&vm);
    vm_run(&vm, "cjson.encode_sparse_array(true, 1, 1) cjson.encode_max_depth(1)"
                "cjson.decode_max_depth(1) cjson.encode_number_precision(1)"
                "cjson.encode_keep_buffer(false) cjson.encode_invalid_numbers('null')"
                "cjson.decode_invalid_numbers(false)"
                "cjson.decode_array_with_array_mt(true) return ''");
    script_json_reset(vm.lua);
    CHECK(lua_gettop(vm.lua) == 0);
    CHECK(vm_shows(&vm, "{cjson.encode_sparse_array()}", "{1=false,2=2,3=10}"));
    CHECK(vm_shows(&vm, "{cjson.encode_max_depth(), cjson.decode_max_depth()}", "{1=1000,2=1000}"));
    CHECK(vm_shows(&vm, "cjson.decode_array_with_array_mt()", "false"));
    CHECK(vm_shows(&vm, "{cjson.encode_number_precision(), cjson.encode_keep_buffer()}",
                   "{1=14,2=true}"));
    CHECK(vm_shows(&vm, "{cjson.encode_invalid_numbers(), cjson.decode_invalid_numbers()}",
                   "{1=false,2=true}"));
    vm_close(&vm);
}

/* A script may lift the limit on depth. The VM's stack then sets one. */
TEST(depth_has_an_end_even_without_a_limit)
{
    static const struct example examples[] = {
        {"cjson.encode_max_depth(2^31 - 1) and cjson.encode(nested(100000))",
         "Cannot serialise, excessive nesting (7998)"},
        {"cjson.decode_max_depth(2^31 - 1) and select(2, pcall(cjson.decode, ('['):rep(100000)))"
         ":match('Found too many nested data structures')",
         "Found too many nested data structures"},
        {"cjson.decode_max_depth(2^31 - 1) and select(2, pcall(cjson.decode, "
         "('{\"a\":'):rep(50000)))"
         ":match('Found too many nested data structures')",
         "Found too many nested data structures"},
        {"cjson.decode_max_depth(2^31 - 1) and cjson.encode_max_depth(2^31 - 1) and "
         "#cjson.encode(cjson.decode(('['):rep(7000) .. 1 .. (']'):rep(7000)))",
         "14001"},
    };

    CHECK(ALL_SHOW(examples));
}

/* Sets a global to a string of `count` letters between two texts. The VM's own
 * functions that make strings would keep a large buffer. */
static void set_large_string(struct vm *vm, const char *name, const char *before, size_t count,
                             const char *after)
{
    BUF_LOCAL(text);

    buf_add(&text, bytes_of(before));
    memset(buf_reserve(&text, count), 'x', count);
    text.len += count;
    buf_add(&text, bytes_of(after));
    lua_pushlstring(vm->lua, text.at, text.len);
    lua_setglobal(vm->lua, name);
}

TEST(memory_for_a_large_text_is_given_back)
{
    struct vm vm;
    size_t before;

    vm_open(&vm);
    set_large_string(&vm, "large", "", 1000000, "");
    set_large_string(&vm, "document", "\"\\n", 1000000, "\"");
    set_large_string(&vm, "broken", "[\"\\n", 1000000, "\"");
    lua_gc(vm.lua, LUA_GCCOLLECT, 0);
    before = vm.used;
    CHECK(strcmp(vm_run(&vm, "return #cjson.encode(large)"), "1000002") == 0);
    CHECK(strcmp(vm_run(&vm, "return #cjson.decode(document)"), "1000001") == 0);
    CHECK(strstr(vm_run(&vm, "cjson.encode({large, print})"), "not supported") != NULL);
    CHECK(strstr(vm_run(&vm, "cjson.decode(broken)"), "found T_END") != NULL);
    lua_gc(vm.lua, LUA_GCCOLLECT, 0);
    CHECK(vm.used < before + 64 * 1024);
    vm_close(&vm);
}

/* Calls cjson.encode with a number, and compares with what printf() makes of it. */
static bool encodes_as_printf(struct vm *vm, double number, int precision)
{
    char expected[64];
    bool same;

    snprintf(expected, sizeof expected, "%.*g", precision, number);
    lua_getglobal(vm->lua, "cjson");
    lua_getfield(vm->lua, -1, "encode");
    lua_pushnumber(vm->lua, number);
    lua_call(vm->lua, 1, 1);
    same = strcmp(lua_tostring(vm->lua, -1), expected) == 0;
    if (!same) {
        print_error("%.17g is %s\n", number, lua_tostring(vm->lua, -1));
    }
    lua_settop(vm->lua, 0);
    return same;
}

static double random_double(struct random *r)
{
    double digits = (double)(random_next(r) >> random_below(r, 64));
    double sign = random_below(r, 2) == 0 ? -1 : 1;

    return sign * digits * pow(10, (double)random_below(r, 40) - 25);
}

TEST(random_numbers_are_encoded_as_printf_does)
{
    struct random r;
    struct vm vm;
    size_t rounds = check_rounds(20000);

    random_seed(&r, check_seed());
    vm_open(&vm);
    for (size_t i = 0; i < rounds; i++) {
        CHECK(encodes_as_printf(&vm, random_double(&r), 14));
        CHECK(encodes_as_printf(&vm, (double)random_below(&r, 1 << 20) / 1024, 14));
    }
    vm_shows(&vm, "cjson.encode_number_precision(5)", "5");
    for (size_t i = 0; i < rounds; i++) {
        CHECK(encodes_as_printf(&vm, random_double(&r), 5));
    }
    vm_close(&vm);
}

static bool decodes_as_strtod(struct vm *vm, const char *text)
{
    bool same;

    lua_getglobal(vm->lua, "cjson");
    lua_getfield(vm->lua, -1, "decode");
    lua_pushstring(vm->lua, text);
    lua_call(vm->lua, 1, 1);
    same = lua_tonumber(vm->lua, -1) == strtod(text, NULL);
    if (!same) {
        print_error("%s is %.17g\n", text, lua_tonumber(vm->lua, -1));
    }
    lua_settop(vm->lua, 0);
    return same;
}

TEST(random_numbers_are_decoded_as_strtod_does)
{
    struct random r;
    struct vm vm;
    size_t rounds = check_rounds(20000);
    char text[400];

    random_seed(&r, check_seed());
    vm_open(&vm);
    for (size_t i = 0; i < rounds; i++) {
        snprintf(text, sizeof text, "%.*f", (int)random_below(&r, 18), random_double(&r));
        CHECK(decodes_as_strtod(&vm, text));
        snprintf(text, sizeof text, "%.*g", (int)random_below(&r, 18), random_double(&r));
        CHECK(decodes_as_strtod(&vm, text));
    }
    vm_close(&vm);
}

static void add_random_string(struct buf *out, struct random *r)
{
    static const char *const parts[] = {"a",       "key",     "\\/",     "\\n",
                                        "\\\"",    "\\\\",    "\\u0001", "a longer piece of text",
                                        "\\u007f", "\xc3\xa9"};

    buf_add_byte(out, '"');
    for (uint64_t i = random_below(r, 5); i > 0; i--) {
        buf_add(out, bytes_of(parts[random_below(r, sizeof parts / sizeof parts[0])]));
    }
    buf_add_byte(out, '"');
}

/* Adds a document in just the words in which it would be encoded. Its objects
 * have up to `members`; only one without choice has a fixed order. */
static void add_random_document(struct buf *out, struct random *r, int depth, size_t members)
{
    size_t kind = random_below(r, depth < 6 ? 8 : 5);
    size_t count = kind == 5 ? random_below(r, members) + 1 : random_below(r, 20) + 1;

    if (kind < 2) {
        add_random_string(out, r);
    } else if (kind < 4) {
        buf_addf(out, "%.14g", (double)random_below(r, 1000000) / 1000 - 500);
    } else if (kind == 4) {
        static const char *const words[] = {"true", "false", "null", "{}"};
        buf_add(out, bytes_of(words[random_below(r, 4)]));
    } else {
        buf_add_byte(out, kind == 5 ? '{' : '[');
        for (size_t i = 0; i < count; i++) {
            if (i > 0) {
                buf_add_byte(out, ',');
            }
            if (kind == 5) {
                add_random_string(out, r);
                buf_add_byte(out, ':');
            }
            add_random_document(out, r, depth + 1, members);
        }
        buf_add_byte(out, kind == 5 ? '}' : ']');
    }
}

/* Runs a script of one argument, and returns whether its result is true. */
static bool holds(struct vm *vm, const char *script, struct bytes argument)
{
    bool result = vm_holds(vm, script, argument.at, argument.len);

    if (!result) {
        print_error("%.*s\n", (int)argument.len, argument.at);
    }
    return result;
}

TEST(random_documents_come_back_as_they_were)
{
    struct random r;
    struct vm vm;
    size_t rounds = check_rounds(300);

    random_seed(&r, check_seed());
    vm_open(&vm);
    for (size_t i = 0; i < rounds; i++) {
        BUF_LOCAL(exact);
        BUF_LOCAL(wide);

        add_random_document(&exact, &r, 0, 1);
        CHECK(holds(&vm, "return cjson.encode(cjson.decode(...)) == ...", buf_bytes(&exact)));
        add_random_document(&wide, &r, 0, 20);
        CHECK(holds(&vm,
                    "local value = cjson.decode(...)\n"
                    "return same(value, cjson.decode(cjson.encode(value)))",
                    buf_bytes(&wide)));
    }
    vm_close(&vm);
}

/* Any bytes at all give a value or an error. */
TEST(mutilated_documents_do_no_harm)
{
    struct random r;
    struct vm vm;
    size_t rounds = check_rounds(2000);

    random_seed(&r, check_seed());
    vm_open(&vm);
    for (size_t i = 0; i < rounds; i++) {
        BUF_LOCAL(text);

        add_random_document(&text, &r, 4, 5);
        for (uint64_t count = random_below(&r, 3) + 1; count > 0; count--) {
            static const char bytes[] = "[]{},:\"\\0-+.eun \xff\n";
            text.at[random_below(&r, text.len)] = bytes[random_below(&r, sizeof bytes)];
        }
        CHECK(holds(&vm, "pcall(cjson.decode, ...) return true", buf_bytes(&text)));
    }
    vm_close(&vm);
}

/* A script that comes by all that takes memory: texts that grow and are given
 * back, escapes, deep and large tables, copies, errors. */
static const char hungry[] =
    "local json = cjson.new()\n"
    "local text = json.encode({('x'):rep(3000), {a = 1.5}, {{{}}}, nested(100)})\n"
    "text = text .. json.encode(json.decode('[\"' .. ('\\\\n\\\\u00e9'):rep(400) .. '\"]'))\n"
    "text = text .. #cjson.encode(('\\0'):rep(20000))\n"
    "text = text .. "
    "show(cjson.decode('{\"a\":[1,2,3,4,5,6,7,8,9,10,11],\"b\":{\"c\":\"\\\\t\"}}'))\n"
    "text = text .. select(2, pcall(cjson.encode, {1, print}))\n"
    "text = text .. select(2, pcall(cjson.decode, '[1,2'))\n"
    "return text\n";

TEST(running_out_of_memory_is_an_error_and_no_damage)
{
    char expected[sizeof((struct vm *)NULL)->answer];
    bool ran_out = true;
    struct vm vm;

    vm_open(&vm);
    strcpy(expected, vm_run(&vm, hungry));
    vm_close(&vm);

    for (size_t granted = 0; ran_out; granted++) {
        vm_open(&vm);
        vm.left = granted;
        vm_run(&vm, "return ''");
        if (!vm.ran_out) {
            vm_run(&vm, hungry);
        }
        ran_out = vm.ran_out;
        CHECK(!ran_out || strstr(vm.answer, "not enough memory") != NULL);

        vm.left = SIZE_MAX;
        script_json_reset(vm.lua);
        CHECK(strcmp(vm_run(&vm, hungry), expected) == 0);
        vm_close(&vm);
    }
}

static int open_json(lua_State *lua)
{
    script_json_open(lua);
    return 0;
}

TEST(running_out_of_memory_while_opening_leaves_nothing)
{
    bool ran_out = true;

    for (size_t granted = 0; ran_out; granted++) {
        struct vm vm = {.left = SIZE_MAX};

        vm.lua = lua_newstate(vm_allocate, &vm);
        vm.left = granted;
        CHECK((lua_cpcall(vm.lua, open_json, NULL) == 0) == !vm.ran_out);
        ran_out = vm.ran_out;
        vm_close(&vm);
    }
}

int main(void)
{
    return RUN(the_library_names_itself, plain_values_are_encoded,
               numbers_are_encoded_with_14_digits, tables_are_encoded_as_arrays_or_objects,
               the_pairs_of_an_object_have_one_order,
               the_order_of_pairs_comes_from_their_keys_alone, what_has_no_json_is_refused,
               documents_are_decoded, strings_are_decoded, numbers_are_decoded_as_strtod_reads_them,
               broken_documents_are_refused, broken_strings_are_refused, settings_are_checked,
               settings_change_what_is_encoded, settings_change_what_is_decoded,
               a_copy_has_its_own_settings, empty_arrays_stay_arrays_if_asked_for,
               a_reset_restores_the_settings, depth_has_an_end_even_without_a_limit,
               memory_for_a_large_text_is_given_back, random_numbers_are_encoded_as_printf_does,
               random_numbers_are_decoded_as_strtod_does, random_documents_come_back_as_they_were,
               mutilated_documents_do_no_harm, running_out_of_memory_is_an_error_and_no_damage,
               running_out_of_memory_while_opening_leaves_nothing);
}
