/* Frames of PROTOCOL.md: COBS(version, type, sequence, payload, CRC-32) 0x00. */
#ifndef ROBOTICS_FRAME_H
#define ROBOTICS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_VERSION 1U
#define FRAME_HEADER 4U                                    /* version, type, sequence */
#define FRAME_OVERHEAD 8U                                  /* header and CRC */
#define FRAME_MAX_PAYLOAD 244U
#define FRAME_MAX_PACKET (FRAME_OVERHEAD + FRAME_MAX_PAYLOAD) /* 252: COBS adds exactly one byte */
#define FRAME_MAX_WIRE (FRAME_MAX_PACKET + 2U)             /* with the COBS byte and the 0x00 */

/* One frame that passed every check. `payload` lies in the reader and lives until the next byte is fed. */
struct frame {
    uint8_t type;
    uint16_t sequence;
    const uint8_t *payload;
    size_t length;
};

/* Takes bytes one by one; nothing that comes over the wire can break it, and after any garbage the next 0x00 starts afresh. */
struct frame_reader {
    uint8_t bytes[FRAME_MAX_PACKET + 1U];
    size_t count;
    bool skipping;        /* too long for a frame: wait for the 0x00 */
    uint32_t good;
    uint32_t bad_stuffing; /* not COBS */
    uint32_t bad_length;   /* too long or too short */
    uint32_t bad_checksum;
    uint32_t bad_version;
};

/* CRC-32 (IEEE 802.3, as zip): reflected polynomial 0xEDB88320, start and end all ones; "123456789" gives 0xCBF43926. */
uint32_t crc32_of(const uint8_t *bytes, size_t count);

void frame_reader_init(struct frame_reader *reader);

/* Feeds one byte; true when it completed a good frame, which `frame` then describes. */
bool frame_reader_feed(struct frame_reader *reader, uint8_t byte, struct frame *frame);

/* Frames refused so far, for any reason. */
uint32_t frame_reader_bad(const struct frame_reader *reader);

/* Writes a frame with its delimiter. `wire` has FRAME_MAX_WIRE bytes; `length` is at most FRAME_MAX_PAYLOAD (more is cut to 0
 * bytes written). Returns the bytes on the wire. */
size_t frame_write(uint8_t *wire, uint8_t type, uint16_t sequence, const uint8_t *payload, size_t length);

#endif
