#include "config/option.h"

#include "base/text.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace vm::config {

bool is_unset(const Option& option, std::string_view text) {
    return text.empty() || (!option.rule.none_is_a_value && iequals(text, "None"));
}

std::optional<std::string> value_of(const Option& option, std::string_view text) {
    if (is_unset(option, text))
        return is_unset(option, option.default_text) ? std::string() : option.default_text;
    return option.rule.canonical(text);
}

std::optional<std::string> written_form(const Option& option, std::string_view text) {
    if (is_unset(option, text)) return std::string(text.empty() ? "" : "None");
    return option.rule.canonical(text);
}

const Option* find_option(const std::vector<Option>& options, std::string_view name) {
    const auto found = std::find_if(options.begin(), options.end(), [&](const Option& option) {
        return iequals(option.name, name);
    });
    return found == options.end() ? nullptr : &*found;
}

namespace {

// Levenshtein distance, case-insensitive.
std::size_t distance(std::string_view a, std::string_view b) {
    const std::string x = to_lower(a), y = to_lower(b);
    std::vector<std::size_t> row(y.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= x.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= y.size(); ++j) {
            const std::size_t change = diagonal + (x[i - 1] == y[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({change, row[j] + 1, row[j - 1] + 1}));
        }
    }
    return row.back();
}

}  // namespace

std::string nearest_name(const std::vector<std::string>& names, std::string_view name) {
    std::string best;
    if (name.size() > 100) return best;
    std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
    for (const std::string& candidate : names)
        if (const std::size_t d = distance(candidate, name); d < least) {
            least = d;
            best = candidate;
        }
    return best;
}

}  // namespace vm::config
