#include "script/msgpack.h"

#include "base/buf.h"
#include "base/random.h"
#include "test/lib/vm.h"

static void vm_open(struct vm *vm)
{
    vm_open_with(vm, script_msgpack_open, "cmsgpack");
}

#define ALL_SHOW(examples)                                                                         \
    vm_shows_all(script_msgpack_open, "cmsgpack", examples, sizeof(examples) / sizeof(examples)[0])

TEST(the_library_names_itself)
{
    static const struct example examples[] = {
        {"cmsgpack._NAME", "cmsgpack"},
        {"cmsgpack._VERSION", "lua-cmsgpack 0.4.0"},
        {"cmsgpack._COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo"},
        {"cmsgpack._DESCRIPTION", "MessagePack C implementation for Lua"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(an_integer_takes_the_shortest_form)
{
    static const struct example examples[] = {
        {"hex(cmsgpack.pack(0, 1, 127))", "00017f"},
        {"hex(cmsgpack.pack(-0))", "00"},
        {"hex(cmsgpack.pack(128, 255))", "cc80ccff"},
        {"hex(cmsgpack.pack(256, 65535))", "cd0100cdffff"},
        {"hex(cmsgpack.pack(65536, 2^32 - 1))", "ce00010000ceffffffff"},
        {"hex(cmsgpack.pack(2^32, 2^53))", "cf0000000100000000cf0020000000000000"},
        {"hex(cmsgpack.pack(-1, -32))", "ffe0"},
        {"hex(cmsgpack.pack(-33, -128))", "d0dfd080"},
        {"hex(cmsgpack.pack(-129, -32768))", "d1ff7fd18000"},
        {"hex(cmsgpack.pack(-32769, -2^31))", "d2ffff7fffd280000000"},
        {"hex(cmsgpack.pack(-2^31 - 1, -2^63))", "d3ffffffff7fffffffd38000000000000000"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(other_numbers_are_floats_if_that_loses_nothing)
{
    static const struct example examples[] = {
        {"hex(cmsgpack.pack(0.5, -1.5))", "ca3f000000cabfc00000"},
        {"hex(cmsgpack.pack(0.1))", "cb3fb999999999999a"},
        {"hex(cmsgpack.pack(2^63, 2^64))", "ca5f000000ca5f800000"},
        {"hex(cmsgpack.pack(-2^64))", "cadf800000"},
        {"hex(cmsgpack.pack(1e300))", "cb7e37e43c8800759c"},
        {"hex(cmsgpack.pack(1/0, -1/0))", "ca7f800000caff800000"},
        {"hex(cmsgpack.pack(0/0))", "cbfff8000000000000"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(strings_and_words_are_packed)
{
    static const struct example examples[] = {
        {"hex(cmsgpack.pack('', 'a', 'b\\0'))", "a0a161a26200"},
        {"hex(cmsgpack.pack(('x'):rep(31))):sub(1, 4)", "bf78"},
        {"hex(cmsgpack.pack(('x'):rep(32))):sub(1, 6)", "d92078"},
        {"hex(cmsgpack.pack(('x'):rep(255))):sub(1, 6)", "d9ff78"},
        {"hex(cmsgpack.pack(('x'):rep(256))):sub(1, 8)", "da010078"},
        {"hex(cmsgpack.pack(('x'):rep(65535))):sub(1, 8)", "daffff78"},
        {"hex(cmsgpack.pack(('x'):rep(65536)):sub(1, 6))", "db0001000078"},
        {"#cmsgpack.pack(('x'):rep(70000))", "70005"},
        {"hex(cmsgpack.pack(nil, false, true))", "c0c2c3"},
        {"hex(cmsgpack.pack(print, coroutine.create(print), io.stdout))", "c0c0c0"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(a_table_is_an_array_if_its_keys_count_up_from_one)
{
    static const struct example examples[] = {
        {"hex(cmsgpack.pack({}))", "90"},
        {"hex(cmsgpack.pack({1, {2}, 'a'}))", "93019102a161"},
        {"hex(cmsgpack.pack({[2] = 2, [1] = 1}))", "920102"},
        {"hex(cmsgpack.pack({a = 1}))", "81a16101"},
        {"hex(cmsgpack.pack({[2] = 1}))", "810201"},
        {"hex(cmsgpack.pack({[0] = 1}))", "810001"},
        {"hex(cmsgpack.pack({[-1] = 1}))", "81ff01"},
        {"hex(cmsgpack.pack({[1.5] = 1}))", "81ca3fc0000001"},
        {"hex(cmsgpack.pack({[2^31] = 1}))", "81ce8000000001"},
        {"hex(cmsgpack.pack({[1/0] = 1}))", "81ca7f80000001"},
        {"hex(cmsgpack.pack({['1'] = 1}))", "81a13101"},
        {"hex(cmsgpack.pack({[true] = false}))", "81c3c2"},
        {"hex(cmsgpack.pack({[{1}] = 2}))", "81910102"},
        {"#cmsgpack.pack({1, nil, 3})", "5"},
        {"hex(cmsgpack.pack({1, x = 2})):sub(1, 2)", "82"},
        {"hex(cmsgpack.pack(setmetatable({}, {__index = function() return 1 end})))", "90"},
        {"hex(cmsgpack.pack({cmsgpack.unpack(('\\1'):rep(16))})):sub(1, 8)", "dc001001"},
        {"hex(cmsgpack.pack(cmsgpack.unpack('\\222\\0\\1\\2\\3')))", "810203"},
    };

    CHECK(ALL_SHOW(examples));
}

/* Where no two keys have one place in a table of Lua 5.1, as in Redis. */
TEST(the_pairs_of_a_map_have_one_order)
{
    static const struct example examples[] = {
        {"hex(cmsgpack.pack({x=1,y=5}))", "82a17905a17801"},
        {"hex(cmsgpack.pack({name=1,id={b=2,a=1}}))", "82a2696482a16101a16202a46e616d6501"},
        {"hex(cmsgpack.pack({x=1,[1.5]=2,y=3}))", "83ca3fc0000002a17903a17801"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(a_table_in_sixteen_others_is_nil)
{
    static const struct example examples[] = {
        {"hex(cmsgpack.pack(nested(16)))", "91919191919191919191919191919190"},
        {"hex(cmsgpack.pack(nested(17)))", "91919191919191919191919191919191c0"},
        {"hex(cmsgpack.pack(nested(5000)))", "91919191919191919191919191919191c0"},
        {"(function() local t = {} t[1] = t return hex(cmsgpack.pack(t)) end)()",
         "91919191919191919191919191919191c0"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(all_forms_are_unpacked)
{
    static const struct example examples[] = {
        {"{cmsgpack.unpack('\\0\\127\\255\\224')}", "{1=0,2=127,3=-1,4=-32}"},
        {"{cmsgpack.unpack('\\204\\255\\205\\1\\2\\206\\255\\255\\255\\255')}",
         "{1=255,2=258,3=4294967295}"},
        {"cmsgpack.unpack('\\207\\0\\0\\0\\1\\0\\0\\0\\0')", "4294967296"},
        {"cmsgpack.unpack('\\207\\255\\255\\255\\255\\255\\255\\255\\255')", "-1"},
        {"{cmsgpack.unpack('\\208\\128\\209\\128\\0\\210\\128\\0\\0\\0')}",
         "{1=-128,2=-32768,3=-2147483648}"},
        {"cmsgpack.unpack('\\211\\255\\255\\255\\255\\255\\255\\255\\254')", "-2"},
        {"{cmsgpack.unpack('\\202\\63\\192\\0\\0\\203\\63\\240\\0\\0\\0\\0\\0\\0')}",
         "{1=1.5,2=1}"},
        {"tostring(cmsgpack.unpack('\\203\\255\\255\\255\\255\\255\\255\\255\\255'))", "nan"},
        {"{cmsgpack.unpack('\\192\\194\\195')}", "{2=false,3=true}"},
        {"{cmsgpack.unpack('\\160\\161a\\217\\2bc\\218\\0\\1d\\219\\0\\0\\0\\1e')}",
         "{1=,2=a,3=bc,4=d,5=e}"},
        {"{cmsgpack.unpack('\\144\\146\\1\\2\\220\\0\\1\\3\\221\\0\\0\\0\\1\\4')}",
         "{1={},2={1=1,2=2},3={1=3},4={1=4}}"},
        {"{cmsgpack.unpack('\\128\\129\\1\\2\\222\\0\\1\\3\\4\\223\\0\\0\\0\\1\\161a\\144')}",
         "{1={},2={1=2},3={3=4},4={a={}}}"},
        {"cmsgpack.unpack('\\131\\1\\2\\1\\3\\2\\192')", "{1=3}"},
        {"cmsgpack.unpack(5)", "53"},
        {"select('#', cmsgpack.unpack(''))", "0"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(values_are_unpacked_a_few_at_a_time)
{
    static const struct example examples[] = {
        {"{cmsgpack.unpack_one('abc')}", "{1=1,2=97}"},
        {"{cmsgpack.unpack_one('abc', 2)}", "{1=-1,2=99}"},
        {"{cmsgpack.unpack_one('abc', 3)}", "{1=-1}"},
        {"{cmsgpack.unpack_one('')}", "{1=-1}"},
        {"{cmsgpack.unpack_one('a\\193')}", "{1=1,2=97}"},
        {"{cmsgpack.unpack_limit('abc', 2)}", "{1=2,2=97,3=98}"},
        {"{cmsgpack.unpack_limit('abc', 2, 1)}", "{1=-1,2=98,3=99}"},
        {"{cmsgpack.unpack_limit('abc', 9, 2)}", "{1=-1,2=99}"},
        {"{cmsgpack.unpack_limit('abc', 0, 1)}", "{1=1}"},
        {"{cmsgpack.unpack_limit('abc', 0)}", "{1=97,2=98,3=99}"},
        {"cmsgpack.unpack_one('abc', 4)", "Start offset 4 greater than input length 3."},
        {"cmsgpack.unpack_one('abc', -1)",
         "Invalid request to unpack with offset of -1 and limit of 3."},
        {"cmsgpack.unpack_limit('abc', -1)",
         "Invalid request to unpack with offset of 0 and limit of 3."},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(broken_input_is_refused)
{
    static const struct example examples[] = {
        {"cmsgpack.unpack('\\193')", "Bad data format in input."},
        {"cmsgpack.unpack('\\146\\1\\196')", "Bad data format in input."},
        {"cmsgpack.unpack('\\204')", "Missing bytes in input."},
        {"cmsgpack.unpack('\\207\\0\\0\\0\\0\\0\\0\\0')", "Missing bytes in input."},
        {"cmsgpack.unpack('\\163ab')", "Missing bytes in input."},
        {"cmsgpack.unpack('\\219\\255\\255\\255\\255a')", "Missing bytes in input."},
        {"cmsgpack.unpack('\\221\\255\\255\\255\\255')", "Missing bytes in input."},
        {"cmsgpack.unpack(('\\221\\255\\255\\255\\255'):rep(1000))", "Missing bytes in input."},
        {"cmsgpack.unpack(('\\223\\255\\255\\255\\255\\1'):rep(1000))", "Missing bytes in input."},
        {"cmsgpack.unpack('\\129\\1')", "Missing bytes in input."},
        {"cmsgpack.unpack('\\129\\192\\1')", "table index is nil"},
        {"cmsgpack.unpack('\\129\\202\\255\\192\\0\\0\\1')", "table index is NaN"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(arguments_are_checked)
{
    static const struct example examples[] = {
        {"cmsgpack.pack()", "bad argument #0 to 'pack' (MessagePack pack needs input.)"},
        {"cmsgpack.unpack()", "bad argument #1 to 'unpack' (string expected, got no value)"},
        {"cmsgpack.unpack({})", "bad argument #1 to 'unpack' (string expected, got table)"},
        {"cmsgpack.unpack_one()",
         "bad argument #1 to 'unpack_one' (string expected, got no value)"},
        {"cmsgpack.unpack_one('', 'x')",
         "bad argument #2 to 'unpack_one' (number expected, got string)"},
        {"cmsgpack.unpack_limit('')",
         "bad argument #2 to 'unpack_limit' (number expected, got no value)"},
    };

    CHECK(ALL_SHOW(examples));
}

/* The VM's stack sets the end. */
TEST(depth_and_count_have_an_end)
{
    static const char message[] = "stack overflow (too many return values at once; use unpack_one "
                                  "or unpack_limit instead.)";
    static const struct example examples[] = {
        {"select('#', cmsgpack.unpack(('\\1'):rep(7000)))", "7000"},
        {"select('#', cmsgpack.unpack(('\\1'):rep(9000)))", message},
        {"cmsgpack.unpack(('\\145'):rep(100000) .. '\\1')", message},
        {"cmsgpack.unpack(('\\129\\1'):rep(100000) .. '\\1')", message},
        {"cmsgpack.unpack(('\\129'):rep(100000) .. '\\1')", message},
    };

    CHECK(ALL_SHOW(examples));
}

static void add_random_string(struct buf *out, struct random *r)
{
    static const size_t lengths[] = {0, 5, 31, 32, 255, 256};
    size_t len = lengths[random_below(r, sizeof lengths / sizeof lengths[0])];

    memset(buf_reserve(out, len + 3), 'x', len + 3);
    if (len < 32) {
        out->at[out->len++] = (char)(0xa0 | len);
    } else if (len < 256) {
        out->at[out->len++] = (char)0xd9;
        out->at[out->len++] = (char)len;
    } else {
        out->at[out->len++] = (char)0xda;
        out->at[out->len++] = (char)(len >> 8);
        out->at[out->len++] = (char)len;
    }
    memset(out->at + out->len, 'x', len);
    out->len += len;
}

/* Adds a value in just the form in which it would be packed. A map has one pair: more
 * have no fixed order. */
static void add_random_value(struct buf *out, struct random *r, int depth)
{
    static const char *const words[] = {"\xc2",
                                        "\xc3",
                                        "\x07",
                                        "\xe5",
                                        "\xcc\xf0",
                                        "\xd1\xfe\x01",
                                        "\xca\x3f\xc1\1\1",
                                        "\xcb\x3f\xb9\1\1\1\1\1\1"};
    size_t kind = random_below(r, depth < 10 ? 8 : 5);
    size_t count = random_below(r, 16);

    if (kind < 2) {
        add_random_string(out, r);
    } else if (kind < 5) {
        buf_add(out, bytes_of(words[random_below(r, sizeof words / sizeof words[0])]));
    } else if (kind == 5) {
        buf_add(out, bytes_of("\x81\xa1k"));
        add_random_value(out, r, depth + 1);
    } else {
        buf_add_byte(out, (char)(0x90 | count));
        for (size_t i = 0; i < count; i++) {
            add_random_value(out, r, depth + 3);
        }
    }
}

TEST(random_values_come_back_as_they_were)
{
    struct random r;
    struct vm vm;
    size_t rounds = check_rounds(1000);

    random_seed(&r, check_seed());
    vm_open(&vm);
    for (size_t i = 0; i < rounds; i++) {
        BUF_LOCAL(text);

        add_random_value(&text, &r, 0);
        CHECK(
            vm_holds(&vm, "return cmsgpack.pack(cmsgpack.unpack(...)) == ...", text.at, text.len));
    }
    vm_close(&vm);
}

/* Any bytes at all give values or an error. They lie at the end of a block, so that the
 * sanitizer sees whoever reads behind them. */
TEST(mutilated_input_does_no_harm)
{
    struct random r;
    struct vm vm;
    size_t rounds = check_rounds(5000);

    random_seed(&r, check_seed());
    vm_open(&vm);
    for (size_t i = 0; i < rounds; i++) {
        BUF_LOCAL(text);

        add_random_value(&text, &r, 4);
        for (uint64_t count = random_below(&r, 4); count > 0; count--) {
            text.at[random_below(&r, text.len)] = (char)random_next(&r);
        }
        CHECK(vm_holds(&vm,
                       "pcall(cmsgpack.unpack, ...)\n"
                       "for at = 0, math.min(#..., 20) do pcall(cmsgpack.unpack_one, ..., at) end\n"
                       "return true",
                       text.at, random_below(&r, text.len + 1)));
    }
    vm_close(&vm);
}

static const char hungry[] =
    "local text = cmsgpack.pack({('x'):rep(3000), {a = 1.5}, nested(10)}, ('y'):rep(100000))\n"
    "local value, y = cmsgpack.unpack(text)\n"
    "local again = cmsgpack.pack(value, y)\n"
    "return tostring(text == again) .. show({pcall(cmsgpack.unpack, '\\149\\161a\\193')})\n";

TEST(running_out_of_memory_is_an_error_and_no_damage)
{
    bool ran_out = true;
    struct vm vm;

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
        CHECK(strcmp(vm_run(&vm, hungry), "true{1=false,2=Bad data format in input.}") == 0);
        vm_close(&vm);
    }
}

TEST(memory_for_a_large_text_is_given_back)
{
    struct vm vm;
    size_t before;

    vm_open(&vm);
    vm_run(&vm, "large = ('x'):rep(1000000) return ''");
    lua_gc(vm.lua, LUA_GCCOLLECT, 0);
    before = vm.used;
    CHECK(strcmp(vm_run(&vm, "return #cmsgpack.pack(large)"), "1000005") == 0);
    lua_gc(vm.lua, LUA_GCCOLLECT, 0);
    CHECK(vm.used < before + 64 * 1024);
    vm_close(&vm);
}

int main(void)
{
    return RUN(the_library_names_itself, an_integer_takes_the_shortest_form,
               other_numbers_are_floats_if_that_loses_nothing, strings_and_words_are_packed,
               a_table_is_an_array_if_its_keys_count_up_from_one, a_table_in_sixteen_others_is_nil,
               the_pairs_of_a_map_have_one_order, all_forms_are_unpacked,
               values_are_unpacked_a_few_at_a_time, broken_input_is_refused, arguments_are_checked,
               depth_and_count_have_an_end, random_values_come_back_as_they_were,
               mutilated_input_does_no_harm, running_out_of_memory_is_an_error_and_no_damage,
               memory_for_a_large_text_is_given_back);
}
