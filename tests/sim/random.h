// Numbers that look random and are the same for the same seed, on any machine (SplitMix64).
#ifndef VM_TESTS_SIM_RANDOM_H
#define VM_TESTS_SIM_RANDOM_H

#include <cstdint>

namespace vm::sim {

class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15U;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
        z = (z ^ z >> 27) * 0x94D049BB133111EBU;
        return z ^ z >> 31;
    }
    unsigned below(unsigned n) { return static_cast<unsigned>(next() % n); }
    bool one_in(unsigned n) { return below(n) == 0; }
    double real() { return static_cast<double>(next() >> 11) / 9007199254740992.0; }  // [0, 1)

  private:
    std::uint64_t state_;
};

}  // namespace vm::sim

#endif
