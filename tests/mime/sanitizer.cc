// GLib locks with futexes of its own, which ThreadSanitizer does not see in the library as it is
// packaged: it would report its caches (time zones) as races. What GLib does inside is left out.
#ifdef __SANITIZE_THREAD__
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_suppressions();
const char* __tsan_default_suppressions() {
    return "race:libglib-2.0.so\nrace:libgobject-2.0.so\n";
}
#endif
