// Runs every registered CppUnit test of this program, prints failures as they come and closes with
// "N passed, N failed". An argument selects tests whose name contains it.
#include <cppunit/BriefTestProgressListener.h>
#include <cppunit/CompilerOutputter.h>
#include <cppunit/TestResult.h>
#include <cppunit/TestResultCollector.h>
#include <cppunit/TestRunner.h>
#include <cppunit/extensions/TestFactoryRegistry.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <vector>

namespace {

void collect(CppUnit::Test* test, const char* wanted, std::vector<CppUnit::Test*>& out) {
    if (test->getChildTestCount() == 0) {
        if (wanted == nullptr || test->getName().find(wanted) != std::string::npos)
            out.push_back(test);
        return;
    }
    for (int i = 0; i < test->getChildTestCount(); ++i)
        collect(test->getChildTestAt(i), wanted, out);
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    CppUnit::TestResult controller;
    CppUnit::TestResultCollector results;
    controller.addListener(&results);
    CppUnit::BriefTestProgressListener progress;
    if (argc > 2 && std::strcmp(argv[2], "-v") == 0) controller.addListener(&progress);

    const std::unique_ptr<CppUnit::Test> all(
        CppUnit::TestFactoryRegistry::getRegistry().makeTest());
    std::vector<CppUnit::Test*> tests;
    collect(all.get(), argc > 1 ? argv[1] : nullptr, tests);
    for (CppUnit::Test* test : tests) test->run(&controller);

    CppUnit::CompilerOutputter outputter(&results, std::cerr);
    if (!results.wasSuccessful()) outputter.write();
    const int failed = results.testFailuresTotal();
    std::printf("%d passed, %d failed\n", results.runTests() - failed, failed);
    return failed == 0 && results.runTests() > 0 ? 0 : 1;
}
