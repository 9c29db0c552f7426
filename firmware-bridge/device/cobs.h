/* Consistent Overhead Byte Stuffing: any bytes become bytes without 0x00, so that 0x00 can end a frame.
 * Source: Cheshire and Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM ToN 7(2), 1999. */
#ifndef ROBOTICS_COBS_H
#define ROBOTICS_COBS_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that `count` bytes need at most when encoded. */
#define COBS_ROOM(count) ((count) + ((count) / 254U) + 1U)

/* Encodes `count` bytes; `into` has COBS_ROOM(count) bytes and overlaps nothing. Returns the encoded length. */
size_t cobs_encode(const uint8_t *bytes, size_t count, uint8_t *into);

/* Decodes in place, because the decoded bytes are never longer. Returns the decoded length, or -1 when the bytes are not an
 * encoding: a zero inside, or a run that passes the end. */
ptrdiff_t cobs_decode(uint8_t *bytes, size_t count);

#endif
