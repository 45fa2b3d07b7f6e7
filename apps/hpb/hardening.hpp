#pragma once

namespace hpb::app {

/// For the whole life of the process, to be called before there are other threads: it gains no
/// rights by running programs, and its memory, with keys in it, gets into no core dump.
/// HPB_CORE_DUMPS=1 in the environment allows dumps.
void harden();

/// Gives up every capability of every thread, once ports are bound and files are read: a process
/// that root has started can then do no more than any other, but for what files of root allow.
void drop_capabilities();

}  // namespace hpb::app
