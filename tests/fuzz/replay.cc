// Runs files through a fuzz target that was built without libFuzzer: replay FILE...
// Prints the name of each before it runs, so that the last one printed is the one that ended it.
#include "fuzz.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        std::cout << argv[i] << std::endl;
        std::ifstream in(argv[i], std::ios::binary);
        const std::string input{std::istreambuf_iterator<char>(in), {}};
        if (!in.good() && !in.eof()) {
            std::cerr << argv[i] << ": cannot be read\n";
            return 1;
        }
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    }
    return 0;
}
