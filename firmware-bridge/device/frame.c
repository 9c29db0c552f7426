#include "frame.h"

#include "bytes.h"
#include "cobs.h"

/* Four bits a step: 64 bytes of table instead of 1 KiB, two look-ups a byte. */
static const uint32_t crc_table[16] = {
    0x00000000U, 0x1DB71064U, 0x3B6E20C8U, 0x26D930ACU, 0x76DC4190U, 0x6B6B51F4U, 0x4DB26158U, 0x5005713CU,
    0xEDB88320U, 0xF00F9344U, 0xD6D6A3E8U, 0xCB61B38CU, 0x9B64C2B0U, 0x86D3D2D4U, 0xA00AE278U, 0xBDBDF21CU,
};

uint32_t crc32_of(const uint8_t *bytes, size_t count)
{
    uint32_t rest = 0xFFFFFFFFU;
    for (size_t i = 0; i < count; i++) {
        rest ^= bytes[i];
        rest = crc_table[rest & 15U] ^ (rest >> 4);
        rest = crc_table[rest & 15U] ^ (rest >> 4);
    }

    return rest ^ 0xFFFFFFFFU;
}

void frame_reader_init(struct frame_reader *reader)
{
    reader->count = 0;
    reader->skipping = false;
    reader->good = 0;
    reader->bad_stuffing = 0;
    reader->bad_length = 0;
    reader->bad_checksum = 0;
    reader->bad_version = 0;
}

/* A delimiter came: are the bytes before it a frame? */
static bool complete(struct frame_reader *reader, size_t encoded, struct frame *frame)
{
    ptrdiff_t decoded = cobs_decode(reader->bytes, encoded);
    if (decoded < 0) {
        reader->bad_stuffing++;
        return false;
    }

    size_t length = (size_t)decoded;
    if (length < FRAME_OVERHEAD || length > FRAME_MAX_PACKET) {
        reader->bad_length++;
        return false;
    }

    /* The checksum before the version: only a whole frame may claim to be of a newer one. */
    if (crc32_of(reader->bytes, length - 4U) != get_u32(reader->bytes + length - 4U)) {
        reader->bad_checksum++;
        return false;
    }

    if (reader->bytes[0] != PROTOCOL_VERSION) {
        reader->bad_version++;
        return false;
    }

    frame->type = reader->bytes[1];
    frame->sequence = get_u16(reader->bytes + 2);
    frame->payload = reader->bytes + FRAME_HEADER;
    frame->length = length - FRAME_OVERHEAD;
    reader->good++;
    return true;
}

bool frame_reader_feed(struct frame_reader *reader, uint8_t byte, struct frame *frame)
{
    if (byte != 0) {
        if (reader->count < sizeof reader->bytes) {
            reader->bytes[reader->count++] = byte;
        } else {
            reader->skipping = true;
        }

        return false;
    }

    size_t encoded = reader->count;
    bool skipped = reader->skipping;
    reader->count = 0;
    reader->skipping = false;
    if (skipped) {
        reader->bad_length++;
        return false;
    }

    /* Two delimiters in a row say nothing: a sender may begin with one to end somebody else's garbage. */
    return encoded > 0 && complete(reader, encoded, frame);
}

uint32_t frame_reader_bad(const struct frame_reader *reader)
{
    return reader->bad_stuffing + reader->bad_length + reader->bad_checksum + reader->bad_version;
}

size_t frame_write(uint8_t *wire, uint8_t type, uint16_t sequence, const uint8_t *payload, size_t length)
{
    uint8_t packet[FRAME_MAX_PACKET];
    if (length > FRAME_MAX_PAYLOAD) {
        return 0;
    }

    packet[0] = PROTOCOL_VERSION;
    packet[1] = type;
    put_u16(packet + 2, sequence);
    if (length > 0) {
        memcpy(packet + FRAME_HEADER, payload, length);
    }

    size_t body = FRAME_HEADER + length;
    put_u32(packet + body, crc32_of(packet, body));
    size_t encoded = cobs_encode(packet, body + 4U, wire);
    wire[encoded] = 0;
    return encoded + 1U;
}
