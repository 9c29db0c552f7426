#include "cobs.h"

size_t cobs_encode(const uint8_t *bytes, size_t count, uint8_t *into)
{
    size_t code_at = 0; /* where the length of the run being written goes */
    size_t length = 1;
    uint8_t code = 1;
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0) {
            into[length++] = bytes[i];
            code++;
        }

        /* A full run ends without a zero; at the very end of the packet nothing follows it. */
        if (bytes[i] == 0 || (code == 0xFF && i + 1 < count)) {
            into[code_at] = code;
            code_at = length++;
            code = 1;
        }
    }

    into[code_at] = code;
    return length;
}

ptrdiff_t cobs_decode(uint8_t *bytes, size_t count)
{
    size_t from = 0;
    size_t to = 0;
    while (from < count) {
        uint8_t code = bytes[from++];
        size_t run = (size_t)code - 1U;
        if (code == 0 || run > count - from) {
            return -1;
        }

        for (size_t i = 0; i < run; i++) {
            if (bytes[from] == 0) {
                return -1;
            }

            bytes[to++] = bytes[from++];
        }

        if (code != 0xFF && from < count) {
            bytes[to++] = 0;
        }
    }

    return (ptrdiff_t)to;
}
