#!/usr/bin/python3
"""redis-cli and redis-benchmark, as they come with Debian, against our server."""

import json
import os
import pty
import re
import select
import subprocess
import tempfile
import termios
import time
import unittest

import cases
from server import PATIENCE_S, encode


def command_line(*arguments, program="redis-cli"):
    return [program, "-h", "127.0.0.1", "-p", str(cases.server.port), *arguments]


def call(*arguments, text="", program="redis-cli"):
    """Runs a client to its end and returns what it printed. It must succeed and
    complain of nothing."""
    command = command_line(*arguments, program=program)
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=PATIENCE_S)
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f"status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def fill(count):
    """Sets the keys key:0, key:1, … by mass insertion and returns its report."""
    requests = (encode(("SET", f"key:{i}", f"value {i}")) for i in range(count))
    return call("--pipe", text=b"".join(requests).decode())


class Terminal:
    """redis-cli in a terminal: what is typed goes in, what it shows comes out."""

    ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
    PROMPT = re.compile(r"(?:^|\n)((?:not connected|[\d.]+:\d+\S*)> )$")

    def __init__(self, *arguments):
        self.shown = ""
        self.process, self.screen = pty.fork()
        if self.process == 0:
            # Without a size redis-cli would ask for it, and we would not answer.
            termios.tcsetwinsize(0, (24, 120))
            os.environ.update(TERM="xterm", REDISCLI_HISTFILE="/dev/null", HOME="/nonexistent")
            os.execvp("redis-cli", command_line(*arguments))
        self.wait_for_prompt()

    def wait_until(self, found):
        """Reads until found() is true of what has been shown, and returns that."""
        deadline = time.monotonic() + PATIENCE_S
        while not (value := found(self.ESCAPES.sub("", self.shown))):
            remaining = deadline - time.monotonic()
            if remaining < 0 or not select.select([self.screen], [], [], remaining)[0]:
                raise AssertionError(f"the terminal shows no more than {self.shown!r}")
            self.shown += os.read(self.screen, 65536).decode()
        return value

    def wait_for_prompt(self):
        """Only a prompt that has just been written stands alone in its line: with
        what is typed, the line is written anew from its beginning."""
        self.prompt = self.wait_until(self.PROMPT.search)[1]

    def type(self, text):
        self.shown = ""
        os.write(self.screen, text.encode())

    def expect(self, text):
        self.wait_until(lambda shown: text in shown)

    def enter(self, line):
        """Enters a line, and returns what is shown from there to the next prompt."""
        self.type(line + "\r")
        self.wait_for_prompt()
        shown = self.ESCAPES.sub("", self.shown).replace("\r", "")
        return shown.partition("\n")[2].removesuffix(self.prompt)

    def discard(self):
        """Discards the line that was begun."""
        self.type("\x15")

    def leave(self):
        """Returns the client's exit status, which ends it."""
        self.type("exit\r")
        _, status = os.waitpid(self.process, 0)
        os.close(self.screen)
        return os.waitstatus_to_exitcode(status)


class Case(unittest.TestCase):
    def setUp(self):
        call("FLUSHALL")


class InATerminal(Case):
    def setUp(self):
        super().setUp()
        self.terminal = Terminal()
        self.assertEqual(self.terminal.prompt, self.prompt())

    def tearDown(self):
        self.assertEqual(self.terminal.leave(), 0)

    def prompt(self, state=""):
        return f"127.0.0.1:{cases.server.port}{state}> "

    def test_runs_commands_and_shows_errors(self):
        for line, shown in [
            ("SET greeting hello", "OK\n"),
            ("GET greeting", '"hello"\n'),
            ("INCR greeting", "(error) ERR value is not an integer or out of range\n"),
            ("NONSENSE", "(error) ERR unknown command 'NONSENSE', with args beginning with: \n"),
            ("GET", "(error) ERR wrong number of arguments for 'get' command\n"),
            ("SADD letters a", "(integer) 1\n"),
            ("SMEMBERS letters", '1) "a"\n'),
        ]:
            self.assertEqual(self.terminal.enter(line), shown)

    def test_hints_come_from_command_docs(self):
        for typed, hint in [
            ("SETRANGE ", "key offset value"),
            ("HSET ", "key field value [field value ...]"),
            ("SET ", "key value ["),
            ("CLIENT SETNAME ", "connection-name"),
        ]:
            self.terminal.type(typed)
            self.terminal.expect(hint)
            self.terminal.discard()

    def test_completes_command_names(self):
        self.terminal.type("SETRAN\t")
        self.terminal.expect("SETRANGE")
        self.terminal.discard()

    def test_help_shows_what_command_docs_says(self):
        shown = self.terminal.enter("HELP HSET")
        self.assertIn("HSET key field value [field value ...]\n", shown)
        self.assertIn("group: hash\n", shown)

    def test_prompt_follows_select_and_multi(self):
        self.terminal.enter("SELECT 2")
        self.assertEqual(self.terminal.prompt, self.prompt("[2]"))
        self.terminal.enter("MULTI")
        self.assertEqual(self.terminal.prompt, self.prompt("[2](TX)"))
        self.assertEqual(self.terminal.enter("INCR counter"), "QUEUED\n")
        self.assertEqual(self.terminal.enter("EXEC"), "1) (integer) 1\n")
        self.assertEqual(self.terminal.prompt, self.prompt("[2]"))

    def test_connects_again_after_it_was_killed(self):
        self.terminal.enter("SELECT 3")
        call("CLIENT", "KILL", "TYPE", "normal")
        self.terminal.enter("PING")  # Here it may see that it was.
        self.assertEqual(self.terminal.enter("PING again"), '"again"\n')
        self.assertEqual(self.terminal.prompt, self.prompt("[3]"))

    def test_hello_changes_the_protocol(self):
        self.assertIn('"proto" => (integer) 3\n', self.terminal.enter("HELLO 3"))
        self.assertEqual(self.terminal.enter("HSET h f v"), "(integer) 1\n")
        self.assertEqual(self.terminal.enter("HGETALL h"), '1# "f" => "v"\n')


class OnTheCommandLine(Case):
    def test_prints_plain_replies_into_a_pipe(self):
        self.assertEqual(call("SET", "k", "v"), "OK\n")
        self.assertEqual(call("GET", "k"), "v\n")
        self.assertEqual(call("GET", "nothing"), "\n")
        self.assertEqual(call("STRLEN", "k"), "1\n")

    def test_reads_the_last_argument_from_its_input(self):
        self.assertEqual(call("-x", "SET", "k", text="two\nlines\n"), "OK\n")
        self.assertEqual(call("--no-raw", "GET", "k"), '"two\\nlines\\n"\n')

    def test_reads_commands_from_its_input(self):
        commands = 'EVAL "return {1, {KEYS[1], ARGV[1]}, false}" 1 k a\nSET k v\nINCR k\nGET k\n'
        shown = call("--no-raw", text=commands)
        self.assertEqual(
            shown,
            '1) (integer) 1\n2) 1) "k"\n   2) "a"\n3) (nil)\nOK\n'
            '(error) ERR value is not an integer or out of range\n"v"\n')

    def test_chooses_a_database_and_repeats(self):
        self.assertEqual(call("-n", "5", "-r", "3", "-i", "0", "INCR", "k"), "1\n2\n3\n")
        self.assertEqual(call("-n", "5", "DBSIZE"), "1\n")
        self.assertEqual(call("DBSIZE"), "0\n")

    def test_speaks_resp3(self):
        call("HSET", "h", "f", "v")
        call("SADD", "s", "m")
        self.assertEqual(call("-3", "--no-raw", "HGETALL", "h"), '1# "f" => "v"\n')
        self.assertEqual(call("-3", "--no-raw", "SMEMBERS", "s"), '1~ "m"\n')
        self.assertEqual(call("-3", "--no-raw", "GET", "nothing"), "(nil)\n")
        self.assertEqual(json.loads(call("-3", "--json", "HGETALL", "h")), {"f": "v"})

    def test_stops_at_an_error_when_told_to(self):
        done = subprocess.run(
            command_line("-e", "NONSENSE"), capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual(done.returncode, 1)
        self.assertIn("ERR unknown command 'NONSENSE'", done.stderr + done.stdout)


class Scripts(Case):
    def evaluate(self, script, *arguments):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            file.write(script)
            file.flush()
            return call("--no-raw", "--eval", file.name, *arguments)

    def test_eval_passes_keys_and_arguments(self):
        script = "return {KEYS[1], KEYS[2], ARGV[1], ARGV[2], #KEYS, #ARGV}"
        shown = self.evaluate(script, "a", "b", ",", "c", "d")
        self.assertEqual(
            shown, '1) "a"\n2) "b"\n3) "c"\n4) "d"\n5) (integer) 2\n6) (integer) 2\n')

    def test_eval_without_keys(self):
        self.assertEqual(self.evaluate("return ARGV[1]", ",", "only"), '"only"\n')
        self.assertEqual(self.evaluate("return #KEYS + #ARGV"), "(integer) 0\n")

    def test_lock_script(self):
        lock = (
            "if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then\n"
            "    return redis.call('INCR', KEYS[2])\n"
            "end\n"
            "return false\n"
        )
        self.assertEqual(self.evaluate(lock, "lock", "token", ",", "me", "60000"), "(integer) 1\n")
        self.assertEqual(self.evaluate(lock, "lock", "token", ",", "you", "60000"), "(nil)\n")
        self.assertEqual(call("GET", "lock"), "me\n")

    def test_failing_script_shows_its_error_and_leaves_nothing(self):
        shown = self.evaluate("redis.call('SET', KEYS[1], 'x') error('stop')", "k")
        self.assertIn("(error) ERR ", shown)
        self.assertIn("stop", shown)
        self.assertEqual(call("EXISTS", "k"), "0\n")


class ManyKeys(Case):
    def setUp(self):
        super().setUp()
        self.assertIn("errors: 0, replies: 10000", fill(10000))

    def test_pipe_inserts_them(self):
        self.assertEqual(call("DBSIZE"), "10000\n")
        self.assertEqual(call("GET", "key:1234"), "value 1234\n")

    def test_scan_finds_each_once(self):
        found = call("--scan").split()
        self.assertEqual(sorted(found), sorted(f"key:{i}" for i in range(10000)))

    def test_scan_takes_a_pattern(self):
        found = call("--scan", "--pattern", "key:12?").split()
        self.assertEqual(sorted(found), [f"key:12{i}" for i in range(10)])
        found = call("--scan", "--pattern", "key:[5-6]0").split()
        self.assertEqual(sorted(found), ["key:50", "key:60"])

    def test_bigkeys_knows_the_biggest_of_each_type(self):
        call("SET", "long", "x" * 5000)
        call("HSET", "wide", *(str(i) for i in range(200)))
        call("SADD", "crowd", *(str(i) for i in range(300)))
        shown = call("--bigkeys")
        self.assertRegex(shown, r'Biggest string found .*"long".* has 5000 bytes')
        self.assertRegex(shown, r'Biggest +hash found .*"wide".* has 100 fields')
        self.assertRegex(shown, r'Biggest +set found .*"crowd".* has 300 members')
        self.assertIn("10001 strings with ", shown)


class Watching(Case):
    def first_lines(self, count, *arguments):
        """Starts a client that does not end by itself, and returns its first lines."""
        command = command_line(*arguments)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
            lines = [client.stdout.readline() for _ in range(count)]
            client.terminate()
        return lines

    def test_stat_shows_keys_memory_and_clients(self):
        fill(100)
        _, names, figures = self.first_lines(3, "--stat", "-i", "0.1")
        self.assertEqual(names.split()[:4], ["keys", "mem", "clients", "blocked"])
        self.assertRegex(figures, r"^100 +\d+\.\d+[KM] +\d+ +0 +\d+")

    def test_latency(self):
        self.assertRegex(call("--latency", "--raw", "-i", "0.2"), r"^\d+ \d+ \d+\.\d+ \d+\n")

    def test_info_names_a_version_that_clients_know(self):
        self.assertRegex(call("INFO", "server"), r"(?m)^redis_version:7\.\d+\.\d+\s*$")


class Benchmark(Case):
    TESTS = "ping_inline,ping_mbulk,set,get,incr,sadd,hset,spop,mset"

    def run_benchmark(self, *arguments):
        """Returns the names of the tests that the benchmark measured. It ends at
        the first error reply, and with a status."""
        shown = call("-q", *arguments, program="redis-benchmark")
        self.assertNotIn("rror", shown)
        return re.findall(r"([^\r\n]+): \d+\.\d+ requests per second", shown)

    def test_measures_all_families(self):
        names = self.run_benchmark("-n", "2000", "-c", "20", "-t", self.TESTS)
        self.assertEqual(len(names), 9, names)

    def test_measures_pipelined_random_keys(self):
        names = self.run_benchmark("-n", "5000", "-P", "16", "-r", "1000", "-t", "set,get")
        self.assertEqual(names, ["SET", "GET"])
        self.assertGreater(int(call("DBSIZE")), 900)

    def test_measures_with_threads(self):
        names = self.run_benchmark("-n", "2000", "--threads", "2", "-t", "incr")
        self.assertEqual(names, ["INCR"])

    def test_measures_a_script(self):
        self.run_benchmark("-n", "1000", "EVAL", "return redis.call('INCR', KEYS[1])", "1", "k")
        self.assertEqual(call("GET", "k"), "1000\n")


if __name__ == "__main__":
    cases.run()
