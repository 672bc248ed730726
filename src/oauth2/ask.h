// What the grants of grant.h have in common. Inside this layer only.
#ifndef VM_OAUTH2_ASK_H
#define VM_OAUTH2_ASK_H

#include "oauth2/grant.h"

#include <string_view>
#include <utility>
#include <vector>

namespace vm::oauth2 {

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

// Asks the token endpoint; the client's id and secret are added to `fields`.
Result<Tokens> ask_tokens(const Post& post, const Client& client, Fields fields);

}  // namespace vm::oauth2

#endif
