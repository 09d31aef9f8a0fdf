/* The wire of D-Bus, from the server's side: a message, and the texts of its body. */

#include "rehearsal/dbus.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        DbusMessage message;
        size_t used;

        while (dbus_parse(data, size, &message, &used) == 0) {
                DbusReader reader = dbus_reader(&message);
                const char *text, *texts[8];
                uint32_t number;
                size_t count;

                if (used == 0 || used > size)
                        abort();
                while (dbus_read_text(&reader, &text) == 0 && strlen(text) < size)
                        continue;
                reader = dbus_reader(&message);
                (void)dbus_read_uint32(&reader, &number);
                (void)dbus_read_texts(&reader, texts, ELEMENTS(texts), &count);
                data += used;
                size -= used;
        }
        return 0;
}
