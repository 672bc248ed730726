// Owning pointers for GLib and GMime objects. Inside this layer only.
#ifndef VM_MIME_GOBJECT_H
#define VM_MIME_GOBJECT_H

#include <glib-object.h>

#include <memory>

namespace vm::mime {

struct Unref {
    void operator()(GDateTime* time) const { g_date_time_unref(time); }
    void operator()(GTimeZone* zone) const { g_time_zone_unref(zone); }
    void operator()(char* text) const { g_free(text); }
    template <class T>
    void operator()(T* object) const {
        g_object_unref(object);
    }
};
template <class T>
using Owned = std::unique_ptr<T, Unref>;

}  // namespace vm::mime

#endif
