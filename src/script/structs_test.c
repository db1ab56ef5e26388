#include "script/structs.h"

#include "base/random.h"
#include "test/lib/vm.h"

#define ALL_SHOW(examples)                                                                         \
    vm_shows_all(script_structs_open, "struct", examples, sizeof(examples) / sizeof(examples)[0])

TEST(integers_are_packed_by_size_and_order)
{
    static const struct example examples[] = {
        {"hex(struct.pack('bB', -1, 255))", "ffff"},
        {"hex(struct.pack('hH', -2, 258))", "feff0201"},
        {"hex(struct.pack('iI', -2, 1))", "feffffff01000000"},
        {"hex(struct.pack('lLT', -2, 1, 2))", "feffffffffffffff01000000000000000200000000000000"},
        {"hex(struct.pack('>hi<h', 1, 2, 3))", "0001000000020300"},
        {"hex(struct.pack('i3>i3', 1, 2))", "010000000002"},
        {"hex(struct.pack('>i10', -1))", "0000ffffffffffffffff"},
        {"hex(struct.pack('i0', 1))", ""},
        {"hex(struct.pack('b', 257))", "01"},
        {"hex(struct.pack('b', '7'))", "07"},
        {"hex(struct.pack('bb', 1.9, -1.9))", "01ff"},
        {"hex(struct.pack('>l', 2^63))", "8000000000000000"},
        {"hex(struct.pack('>l', 2^64))", "0000000000000000"},
        {"hex(struct.pack('>l', -2^64))", "8000000000000000"},
        {"hex(struct.pack('>l', 0/0))", "8000000000000000"},
        {"hex(struct.pack('>L', 2^64 - 2048))", "fffffffffffff800"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(reals_and_strings_are_packed)
{
    static const struct example examples[] = {
        {"hex(struct.pack('f>f', 1.5, 1.5))", "0000c03f3fc00000"},
        {"hex(struct.pack('d>d', 0.1, 0.1))", "9a9999999999b93f3fb999999999999a"},
        {"hex(struct.pack('>f', 1e300))", "7f800000"},
        {"hex(struct.pack('s', 'ab'))", "616200"},
        {"hex(struct.pack('s', ''))", "00"},
        {"hex(struct.pack('cc2c0', 'abc', 'def', 'gh'))", "6164656768"},
        {"hex(struct.pack('bxxb', 1, 2))", "01000002"},
        {"hex(struct.pack('b b', 1, 2))", "0102"},
        {"hex(struct.pack('b\\0q', 1))", "01"},
        {"hex(struct.pack(''))", ""},
        {"#struct.pack('c0', ('x'):rep(100000))", "100000"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(items_are_aligned)
{
    static const struct example examples[] = {
        {"hex(struct.pack('bi', 1, 2))", "0102000000"},
        {"hex(struct.pack('!bi', 1, 2))", "0100000002000000"},
        {"hex(struct.pack('!2bi', 1, 2))", "010002000000"},
        {"hex(struct.pack('!4bd', 1, 0))", "010000000000000000000000"},
        {"hex(struct.pack('!bs', 1, 'a'))", "016100"},
        {"hex(struct.pack('!bc2h', 1, 'ab', 2))", "016162000200"},
        {"struct.size('!bd')", "16"},
        {"struct.size('!b!1d')", "9"},
        {"struct.size('!bi3')", "6"},
        {"{struct.unpack('!bi', '\\1\\9\\9\\9\\2\\0\\0\\0')}", "{1=1,2=2,3=9}"},
        {"struct.pack('!3')", "alignment 3 is not a power of 2"},
        {"struct.pack('!0')", "alignment 0 is not a power of 2"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(sizes_are_added_up)
{
    static const struct example examples[] = {
        {"struct.size('')", "0"},
        {"struct.size('bBhHiIlLTfdxc')", "52"},
        {"struct.size('i7c5c2147483647')", "2147483659"},
        {"struct.size('q 5')", "0"},
        {"struct.size('s')", "bad argument #1 to 'size' (option 's' has no fixed size)"},
        {"struct.size('c0')", "bad argument #1 to 'size' (option 'c0' has no fixed size)"},
        {"struct.size('#')", "bad argument #1 to 'size' (invalid format option '#')"},
        {"struct.size('i33')", "integral size 33 is larger than limit of 32"},
        {"struct.size('c2147483648')", "integral size overflow"},
        {"struct.size('c99999999999')", "integral size overflow"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(values_are_unpacked)
{
    static const struct example examples[] = {
        {"{struct.unpack('bB', '\\255\\255')}", "{1=-1,2=255,3=3}"},
        {"{struct.unpack('>hH', '\\255\\254\\255\\254')}", "{1=-2,2=65534,3=5}"},
        {"{struct.unpack('<i3', '\\254\\255\\255')}", "{1=-2,2=4}"},
        {"{struct.unpack('>I10', '\\9\\9\\0\\0\\0\\0\\0\\0\\1\\2')}", "{1=258,2=11}"},
        {"{struct.unpack('i0', '')}", "{1=0,2=1}"},
        {"{struct.unpack('L', ('\\255'):rep(8))}", "{1=1.844674407371e+19,2=9}"},
        {"{struct.unpack('>fd', '\\63\\192\\0\\0\\63\\240\\0\\0\\0\\0\\0\\0')}",
         "{1=1.5,2=1,3=13}"},
        {"tostring(struct.unpack('d', ('\\255'):rep(8)))", "nan"},
        {"{struct.unpack('s', 'ab\\0c')}", "{1=ab,2=4}"},
        {"{struct.unpack('cxc2', 'abcd')}", "{1=a,2=cd,3=5}"},
        {"{struct.unpack('Bc0', '\\2abc')}", "{1=ab,2=4}"},
        {"{struct.unpack('bsc0', '\\1' .. '2\\0abc')}", "{1=1,2=ab,3=6}"},
        {"{struct.unpack('dc0', struct.pack('d', 1e300))}", "{1=,2=9}"},
        {"{struct.unpack('b', 'ab', 2)}", "{1=98,2=3}"},
        {"{struct.unpack('', 'ab', 3)}", "{1=3}"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(short_data_is_refused)
{
#define TOO_SHORT "bad argument #2 to 'unpack' (data string too short)"
    static const struct example examples[] = {
        {"struct.unpack('b', '')", TOO_SHORT},
        {"struct.unpack('i', 'abc')", TOO_SHORT},
        {"struct.unpack('b', 'a', 2)", TOO_SHORT},
        {"struct.unpack('b', 'a', -1)", TOO_SHORT},
        {"struct.unpack('!8d', '', -1)", TOO_SHORT},
        {"struct.unpack('i8', '12345678', 2147483647)", TOO_SHORT},
        {"struct.unpack('c2147483647', 'abc')", TOO_SHORT},
        {"struct.unpack('Bc0', '\\4abc')", TOO_SHORT},
        {"struct.unpack('bc0', '\\255abc')", TOO_SHORT},
        {"struct.unpack('dc0', struct.pack('d', 0/0))", TOO_SHORT},
        {"struct.unpack('dc0', struct.pack('d', -1e300))", TOO_SHORT},
        {"struct.unpack('c0', 'abc')", "format 'c0' needs a previous size"},
        {"struct.unpack('sc0', 'a\\0b')", "format 'c0' needs a previous size"},
        {"struct.unpack('s', 'abc')", "unfinished string in data"},
        {"struct.unpack('b', 'a', 0)", "bad argument #3 to 'unpack' (offset must be 1 or greater)"},
    };

    CHECK(ALL_SHOW(examples));
}

TEST(arguments_are_checked)
{
    static const struct example examples[] = {
        {"struct.pack()", "bad argument #1 to 'pack' (string expected, got no value)"},
        {"struct.pack('bb', 1)", "bad argument #3 to 'pack' (number expected, got nil)"},
        {"struct.pack('sb', 'a')", "bad argument #3 to 'pack' (number expected, got nil)"},
        {"struct.pack('b', 'x')", "bad argument #2 to 'pack' (number expected, got string)"},
        {"struct.pack('s', {})", "bad argument #2 to 'pack' (string expected, got table)"},
        {"struct.pack('c4', 'abc')", "bad argument #3 to 'pack' (string too short)"},
        {"struct.pack('c2147483647', 'x')", "bad argument #3 to 'pack' (string too short)"},
        {"struct.pack('q')", "bad argument #1 to 'pack' (invalid format option 'q')"},
        {"struct.pack('i33', 1)", "integral size 33 is larger than limit of 32"},
        {"struct.unpack('b')", "bad argument #2 to 'unpack' (string expected, got no value)"},
        {"select('#', struct.unpack(('B'):rep(7000), ('a'):rep(7000)))", "7001"},
        {"struct.unpack(('B'):rep(20000), ('a'):rep(20000))", "stack overflow (too many results)"},
    };

    CHECK(ALL_SHOW(examples));
}

/* Any format at all gives values or an error, and what was packed comes back. */
TEST(random_formats_do_no_harm)
{
    static const char letters[] = "bBhHlLTiIfdxcs<>! 0123789q#";
    char format[16];
    struct random r;
    struct vm vm;
    size_t rounds = check_rounds(20000);

    random_seed(&r, check_seed());
    vm_open_with(&vm, script_structs_open, "struct");
    for (size_t i = 0; i < rounds; i++) {
        size_t len = random_below(&r, sizeof format);

        for (size_t j = 0; j < len; j++) {
            format[j] = letters[random_below(&r, sizeof letters - 1)];
        }
        CHECK(vm_holds(&vm,
                       "local format, data = ..., ('\\1\\200\\3'):rep(#... * 3)\n"
                       "for at = 1, 9 do pcall(struct.unpack, format, data, at) end\n"
                       "pcall(struct.size, format)\n"
                       "local ok, text = pcall(struct.pack, format, 1, 2, 3, 4, 5, 6, 7, 8)\n"
                       "if not ok or format:find('c') then return true end\n"
                       "local values = {struct.unpack(format, text)}\n"
                       "local at = table.remove(values)\n"
                       "return at == #text + 1",
                       format, len));
    }
    vm_close(&vm);
}

static const char hungry[] =
    "local text = struct.pack('>!bdsc0i16', 1, 2, ('x'):rep(3000), ('y'):rep(3000), -1)\n"
    "return show({struct.unpack('>!bd', text), #text, pcall(struct.pack, 'bq', 1)})\n";

TEST(running_out_of_memory_is_an_error_and_no_damage)
{
    static const char expected[] =
        "{1=1,2=6040,3=false,4=bad argument #1 to '?' (invalid format option 'q')}";
    bool ran_out = true;
    struct vm vm;

    for (size_t granted = 0; ran_out; granted++) {
        vm_open_with(&vm, script_structs_open, "struct");
        vm.left = granted;
        vm_run(&vm, hungry);
        ran_out = vm.ran_out;
        CHECK(!ran_out || strstr(vm.answer, "not enough memory") != NULL);

        vm.left = SIZE_MAX;
        CHECK(strcmp(vm_run(&vm, hungry), expected) == 0);
        vm_close(&vm);
    }
}

int main(void)
{
    return RUN(integers_are_packed_by_size_and_order, reals_and_strings_are_packed,
               items_are_aligned, sizes_are_added_up, values_are_unpacked, short_data_is_refused,
               arguments_are_checked, random_formats_do_no_harm,
               running_out_of_memory_is_an_error_and_no_damage);
}
