// What the programs share: the frame of main(), parsing by CLI11, exit statuses, one-line errors.
#ifndef VM_APP_CLI_H
#define VM_APP_CLI_H

#include "base/error.h"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

namespace vm::app {

inline constexpr const char* kVersion = "0.1.0";

// What every main() is: runs `body` and returns its status. Before it, those of the descriptors 0,
// 1 and 2 that are closed are taken, so that no lock, socket or database gets one of them. An
// exception that nobody caught is one line on stderr and status 69; in a child process, SIGABRT.
int run_program(int argc, char** argv, int (*body)(int, char**)) noexcept;

// Adds --root and --version, one-line description and exit statuses to `program`'s --help.
void add_common(CLI::App& program, std::string& root);

// Parses. nullopt: go on. Otherwise the status to exit with: 0 after --help or --version, 64 after
// a usage error, which is printed as one line on stderr and names the --help to read.
std::optional<int> parse(CLI::App& program, int argc, char** argv);

// Prints "PROGRAM: text" as one line on stderr and returns the sysexits status of the error.
int report(const CLI::App& program, const Error& error);

// The end of a program that printed its answer: 0 when all of it was written to standard output.
int end_output(const CLI::App& program);

}  // namespace vm::app

#endif
