// Root in a unit of another user acts as that user: whoever owns a directory could let its files
// lead anywhere, and what root makes there its owner could not use.
//
// The programs call act_as_owner() first; files that the caller names are opened as the caller. The
// ids are the process's: to be changed only while it has one thread.
//
// A unit belongs to the one user, besides root, to whom its directories belong, or links in their
// place and what these lead to: whoever owns one of them cannot have root stay root by moving
// another.
#ifndef VM_BASE_IDENTITY_H
#define VM_BASE_IDENTITY_H

#include "base/error.h"
#include "base/paths.h"

#include <filesystem>

namespace vm {

// For root: takes the user id of the unit's owner, when that is another one, and this user's
// groups, as effective ids. kPermission when that is not allowed, or the unit has two owners.
Result<> act_as_owner(const Paths& paths);

// For what cannot act as another, as the process is not ours: kPermission where act_as_owner()
// would become somebody else.
Result<> expect_owner(const Paths& paths);

// Gives up what act_as_owner() has left, root as the real and saved ids and root's environment: for
// what loads plugins and talks to servers.
Result<> stay_owner();

// While it lives, the caller's own user and group are in force again.
class AsCaller {
  public:
    AsCaller();
    ~AsCaller();
    AsCaller(const AsCaller&) = delete;
    AsCaller& operator=(const AsCaller&) = delete;
};

// While it lives within an AsCaller, the owner's are.
class AsOwner {
  public:
    AsOwner();
    ~AsOwner();
    AsOwner(const AsOwner&) = delete;
    AsOwner& operator=(const AsOwner&) = delete;
};

}  // namespace vm

#endif
