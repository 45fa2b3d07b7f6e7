#!/usr/bin/env python3
"""Shows that the simulation of the session core catches mistakes: makes one at a time, in a copy.

Each mutation changes one line of src/session. The simulation is built with it in a scratch folder and has
to fail, by a broken invariant or by not coming to an end. Prints a table; exits 1 if a mutation survives.
About ten minutes on two cores. Usage: scripts/mutate_session.py [--runs N] [--only WORD] [--list]
"""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLAGS = ["-std=c++20", "-O1", "-w", "-D_GLIBCXX_ASSERTIONS", "-DFMT_HEADER_ONLY"]
LIMIT_SECONDS = 120  # a simulation that hangs has noticed too, but it should say so

# (name, file, line as it stands, line as it is made)
MUTATIONS = [
    ("acknowledge nothing after the delay", "session_channels.cpp",
     "            mark(stream, Stream::kAck);\n", "\n"),
    ("lose an acknowledgement", "session_output.cpp",
     "    stream.acked_position = stream.receive.position();\n",
     "    stream.acked_position = stream.receive.position();\n    if (stream.acked_position % 16 == 9) return;\n"),
    ("acknowledge one position too many", "stream_receive.hpp",
     "return contiguous_ + (contiguous_ == final_ ? 1 : 0);",
     "return contiguous_ + (contiguous_ == final_ || !pieces_.empty() ? 1 : 0);"),
    ("say nothing again after a loss", "session_channels.cpp",
     "        dirty |= Stream::kAck;\n", "\n"),
    ("double the credit of a stream", "session_output.cpp",
     "encode(stream.id, AckFrame{stream.acked_position, stream.receive.granted()}).finish());",
     "encode(stream.id, AckFrame{stream.acked_position, 2 * stream.receive.granted()}).finish());"),
    ("ignore the credit when writing", "stream_send.hpp",
     "return finished_ ? 0 : credit_ - end_;", "return finished_ ? 0 : credit_ - end_ + 1;"),
    ("commit a byte too few", "stream_send.cpp",
     "    end_ += size;\n    if (acked_ >= end_) {", "    end_ += size - (size > 40 ? 1 : 0);\n    if (acked_ >= end_) {"),
    ("trim a slab too many", "slab.cpp",
     "(offset + slab_size - 1) / slab_size);", "offset / slab_size);"),
    ("grant credit on arrival", "stream_receive.cpp",
     "consumed_ + window > granted_ ? consumed_ + window - granted_ : 0;",
     "contiguous_ + window > granted_ ? contiguous_ + window - granted_ : 0;"),
    ("skip a resend", "stream_send.cpp",
     "            range.channel = {};\n", "            if (range.end != sent_) range.channel = {};\n"),
    ("resend what another channel carries", "stream_send.cpp",
     "        if (range.channel == channel) {", "        if (range.channel != channel) {"),
    ("forget that FIN was lost", "stream_send.cpp",
     ".fin = finished_ && to > end_ && from + size == end_};",
     ".fin = finished_ && to > end_ && from + size == end_ && size > 0};"),
    ("FIN takes no position", "stream_receive.hpp",
     "return contiguous_ + (contiguous_ == final_ ? 1 : 0);", "return contiguous_;"),
    ("end a stream at FIN, not at its place", "stream_receive.hpp",
     "[[nodiscard]] bool complete() const { return contiguous_ == final_; }",
     "[[nodiscard]] bool complete() const { return final_.has_value(); }"),
    ("off by one in a repetition", "stream_receive.cpp",
     "bytes = bytes.subspan(contiguous_ - offset);",
     "bytes = bytes.subspan(contiguous_ - offset + 1);"),
    ("free one byte too early", "stream_send.cpp",
     "        bytes_.release_before(acked_);", "        bytes_.release_before(sent_);"),
    ("forget OPEN on another channel", "session_channels.cpp",
     "        stream.dirty = static_cast<std::uint8_t>(stream.dirty | Stream::kOpen);\n", "\n"),
    ("forget that streams may be opened again", "session.cpp",
     "    streams_due_ = true;\n", "\n"),
    ("do not say which channels were lost", "session_channels.cpp",
     "    lost_due_.push_back(id);\n", "\n"),
    ("do not answer for streams that are over", "session_input.cpp",
     "    closed_due_.insert(at, id.value);\n", "\n"),
    ("take a higher id as the end of the lower ones", "session_input.cpp",
     "    for (; next_peer_ < index; ++next_peer_) skipped_.push_back(next_peer_);\n", "\n"),
    ("accept a wrong proof", "session_channels.cpp",
     "if (!equal(expected, hello.secret_or_proof)) return HelloRefusal::bad_proof;", ""),
    ("accept a channel number twice", "session_channels.cpp",
     "    replay_.mark(hello.channel);\n", "\n"),
    ("do not expire", "session_channels.cpp",
     "        finish_session(errc::session_expired, errc::none);\n", "\n"),
    ("keep the budget of an ended stream", "session.cpp",
     "    receive_budget_.shrink(stream.receive.held(), 0);\n    if (SessionChannel* home",
     "    if (SessionChannel* home"),
    ("do not wake a writer", "session_input.cpp",
     "    tell_writable(stream);\n    if (held", "    if (held"),
    ("say that there is more room than there is", "session.cpp",
     "    const std::uint64_t room = writable_now(*stream);\n",
     "    const std::uint64_t room = writable_now(*stream) + 1;\n"),
    ("forget who has asked for room", "session.cpp",
     "    if (room == 0) want_to_write(*stream);\n", "\n"),
    ("wait for nobody's memory", "session.cpp",
     "    stream.wants_write = true;\n", "    stream.wants_write = send_budget_.room(stream.send.held()) > 0;\n"),
    ("let a window grow without end", "window_tuner.cpp",
     "    next = std::clamp(next, start_, most_);\n", "    next = std::max(next, start_);\n"),
    ("let a window become smaller than it began", "window_tuner.cpp",
     "    next = std::clamp(next, start_, most_);\n", "    next = std::min(next, most_);\n"),
    ("let a window of a short path become nothing", "window_tuner.cpp", "start_ / kLeastOnShort, std", "std::uint64_t{0}, std"),
    ("grant more than the window", "session.cpp",
     "stream.receive.wanted(stream.tuner.window());", "stream.receive.wanted(2 * stream.tuner.window());"),
    ("do not let windows grow", "session.cpp",
     "    tune(*stream, size, now);\n", "\n"),
    ("do not measure the round trip", "session_channels.cpp",
     "    channel.ping_unanswered = false;\n", "    return;\n"),
    ("use the shared budget without taking from it", "budget.hpp",
     "if (shared_ != nullptr) more = shared_->take(more);", ""),
    ("keep what was taken from the shared budget", "budget.hpp",
     "if (shared_ != nullptr && size > 0) shared_->give_back(size);", ""),
    ("count half of what is taken from the shared budget", "memory_budget.hpp",
     "used, used + taken, std", "used, used + taken / 2, std"),
    ("do not give back at a session's end", "session.cpp",
     "    receive_budget_.close();\n", "\n"),
    ("do not look for memory that others gave back", "session_channels.cpp",
     "    look_for_memory(now);\n", "\n"),
]


def sources(tree):
    yield from sorted((tree / "src/session").glob("*.cpp"))
    yield from sorted((tree / "tests/simulation").glob("*.cpp"))
    yield from (tree / "src/base" / name for name in ("error.cpp", "text.cpp"))
    yield tree / "src/crypto/crypto.cpp"


def compiler():
    for version in (19, 18, 17, 16):
        if shutil.which(f"clang++-{version}"):
            return f"clang++-{version}"
    return "clang++"


class Build:
    def __init__(self, tree):
        self.tree = tree
        self.cxx = compiler()

    def compile(self, source):
        out = self.tree / "out" / (source.parent.name + "_" + source.stem + ".o")
        subprocess.run([self.cxx, *FLAGS, "-I", self.tree / "src", "-I", self.tree / "tests", "-c", source,
                        "-o", out], check=True, capture_output=True, text=True)

    def all(self, which):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self.compile, which))
        program = self.tree / "out/simulation"
        subprocess.run([self.cxx, *sorted((self.tree / "out").glob("*.o")), "-o", program, "-lcrypto"],
                       check=True, capture_output=True, text=True)
        return program


def simulate(program, runs):
    """@return (caught, what the simulation said)"""
    try:
        done = subprocess.run([program, "--runs", str(runs)], capture_output=True, text=True,
                              timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        return True, "does not come to an end"
    lines = (done.stdout + done.stderr).strip().splitlines() or [""]
    return done.returncode != 0, lines[0] if done.returncode >= 0 else f"signal {-done.returncode}: {lines[0]}"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=3000)
    options.add_argument("--only", default="", help="mutations whose name or file contains this")
    options.add_argument("--list", action="store_true")
    options = options.parse_args()
    chosen = [m for m in MUTATIONS if options.only in m[0] or options.only in m[1]]
    if options.list:
        print("\n".join(f"{name}  ({file})" for name, file, _, _ in chosen))
        return 0
    survived = []
    with tempfile.TemporaryDirectory() as scratch:
        tree = pathlib.Path(scratch)
        for folder in ("src/base", "src/crypto", "src/session", "tests/simulation"):
            shutil.copytree(ROOT / folder, tree / folder)
        (tree / "out").mkdir()
        build = Build(tree)
        caught, said = simulate(build.all(list(sources(tree))), min(options.runs, 500))
        if caught:
            print(f"the simulation fails without any mutation: {said}")
            return 1
        for name, file, before, after in chosen:
            path = tree / "src/session" / file
            original = path.read_text()
            if original.count(before) != 1:
                print(f"{name}: the line is there {original.count(before)} times in {file}: mend this script")
                return 1
            path.write_text(original.replace(before, after))
            touched = list(sources(tree)) if path.suffix == ".hpp" else [path]
            start = time.monotonic()
            try:
                caught, said = simulate(build.all(touched), options.runs)
            except subprocess.CalledProcessError as failed:
                print(f"{name}: does not compile: {failed.stderr[:400]}")
                return 1
            finally:
                path.write_text(original)
            print(f"{'caught  ' if caught else 'SURVIVED'}  {name:48}  {said}  "
                  f"({time.monotonic() - start:.0f} s)", flush=True)
            if not caught:
                survived.append(name)
            build.all(touched)
    print(f"{len(chosen) - len(survived)} of {len(chosen)} mutations caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
