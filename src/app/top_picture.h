// What vmctl top shows, as lines. Pure.
#ifndef VM_APP_TOP_PICTURE_H
#define VM_APP_TOP_PICTURE_H

#include "app/metrics_reading.h"
#include "base/clock.h"
#include "store/store.h"

#include <cstddef>
#include <string>
#include <vector>

namespace vm::app {

struct TopView {
    MetricsReading before, now;
    double seconds = 1;   // between them
    TimeMs time = 0;      // of `now`
    std::string problem;  // instead of figures: why there are none
    std::vector<store::MailboxStatus> statuses;
    // Of the screen; 0: whatever it takes.
    std::size_t width = 0, height = 0;
};

// At most `height` lines of at most `width` characters each; foreign words as shown().
std::vector<std::string> top_picture(const TopView& view);

}  // namespace vm::app

#endif
