/* COBS, CRC and the frame reader: vectors, every cut, garbage everywhere, every single-bit error, a million random buffers. */
#include <stdlib.h>
#include <string.h>

#include "../bytes.h"
#include "../cobs.h"
#include "../frame.h"
#include "../sha256.h"
#include "check.h"

/* xorshift64*, so that a failure can be repeated. */
static uint64_t random_state = 88172645463325252ULL;

static uint32_t draw(uint32_t below)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * 2685821657736338717ULL) >> 33) % below;
}

static void cobs_vectors(void)
{
    /* From the paper's examples and the edges of a run of 254. */
    static const struct {
        uint8_t plain[4];
        size_t count;
        uint8_t stuffed[5];
    } vectors[] = {
        {{0}, 0, {1}},
        {{0}, 1, {1, 1}},
        {{0x11, 0x22, 0, 0x33}, 4, {3, 0x11, 0x22, 2, 0x33}},
        {{0x11, 0, 0, 0}, 4, {2, 0x11, 1, 1, 1}},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint8_t bytes[8];
        size_t count = cobs_encode(vectors[i].plain, vectors[i].count, bytes);
        CHECK_EQUAL(vectors[i].count + 1, count);
        CHECK(memcmp(vectors[i].stuffed, bytes, count) == 0);
        CHECK_EQUAL(vectors[i].count, cobs_decode(bytes, count));
        CHECK(memcmp(vectors[i].plain, bytes, vectors[i].count) == 0);
    }

    uint8_t plain[600];
    uint8_t stuffed[COBS_ROOM(600)];
    for (size_t count = 0; count <= sizeof plain; count++) {
        for (size_t i = 0; i < count; i++) {
            plain[i] = draw(300) == 0 ? 0 : (uint8_t)(1U + draw(255));
        }

        size_t length = cobs_encode(plain, count, stuffed);
        CHECK(length <= COBS_ROOM(count));
        CHECK(memchr(stuffed, 0, length) == 0);
        CHECK_EQUAL(count, cobs_decode(stuffed, length));
        CHECK(memcmp(plain, stuffed, count) == 0);
    }

    memset(plain, 7, sizeof plain);
    CHECK_EQUAL(255, cobs_encode(plain, 254, stuffed)); /* FF, 254 bytes, and no 01 */
    CHECK_EQUAL(0xFF, stuffed[0]);
    uint8_t zero_inside[] = {3, 1, 0};
    uint8_t zero_code[] = {2, 1, 0, 1};
    uint8_t too_far[] = {9, 1};
    CHECK_EQUAL(-1, cobs_decode(zero_inside, 3));
    CHECK_EQUAL(-1, cobs_decode(zero_code, 4));
    CHECK_EQUAL(-1, cobs_decode(too_far, 2));
}

static void checksums(void)
{
    static const uint8_t check[] = "123456789";
    static const uint8_t abc[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                    0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    static const uint8_t two_blocks[32] = {0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8, 0xe5, 0xc0, 0x26, 0x93, 0x0c, 0x3e, 0x60, 0x39,
                                           0xa3, 0x3c, 0xe4, 0x59, 0x64, 0xff, 0x21, 0x67, 0xf6, 0xec, 0xed, 0xd4, 0x19, 0xdb, 0x06, 0xc1};
    static const uint8_t long_text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    struct sha256 sha;
    uint8_t digest[32];
    CHECK_EQUAL(0xCBF43926U, crc32_of(check, 9));

    /* FIPS 180-4's examples. */
    sha256_init(&sha);
    sha256_add(&sha, (const uint8_t *)"abc", 3);
    sha256_end(&sha, digest);
    CHECK(memcmp(abc, digest, 32) == 0);
    sha256_init(&sha);
    sha256_add(&sha, long_text, sizeof long_text - 1U);
    sha256_end(&sha, digest);
    CHECK(memcmp(two_blocks, digest, 32) == 0);
}

static size_t random_frame(uint8_t wire[FRAME_MAX_WIRE], size_t longest)
{
    uint8_t payload[FRAME_MAX_PAYLOAD];
    size_t length = draw((uint32_t)longest + 1U);
    for (size_t i = 0; i < length; i++) {
        payload[i] = (uint8_t)(draw(4) == 0 ? 0 : draw(256));
    }

    return frame_write(wire, (uint8_t)draw(256), (uint16_t)draw(65536), payload, length);
}

static unsigned feed(struct frame_reader *reader, const uint8_t *bytes, size_t count)
{
    unsigned good = 0;
    struct frame frame;
    for (size_t i = 0; i < count; i++) {
        good += frame_reader_feed(reader, bytes[i], &frame) ? 1U : 0U;
    }

    return good;
}

static void limits(void)
{
    struct frame_reader reader;
    struct frame frame = {0};
    uint8_t wire[FRAME_MAX_WIRE];
    uint8_t payload[FRAME_MAX_PAYLOAD + 1U];
    memset(payload, 1, sizeof payload);
    frame_reader_init(&reader);
    CHECK_EQUAL(0, frame_write(wire, 1, 2, payload, FRAME_MAX_PAYLOAD + 1U));
    CHECK_EQUAL(FRAME_MAX_WIRE, frame_write(wire, 1, 0x1234, payload, FRAME_MAX_PAYLOAD));
    CHECK_EQUAL(0, feed(&reader, wire, FRAME_MAX_WIRE - 1U));
    CHECK(frame_reader_feed(&reader, 0, &frame));
    CHECK_EQUAL(FRAME_MAX_PAYLOAD, frame.length);
    CHECK_EQUAL(0x1234, frame.sequence);
    CHECK_EQUAL(0, frame_reader_bad(&reader));

    /* Of a newer version: whole, and refused as such. */
    uint8_t packet[8] = {2, 1, 0, 0};
    put_u32(packet + 4, crc32_of(packet, 4));
    size_t count = cobs_encode(packet, 8, wire);
    wire[count] = 0;
    CHECK_EQUAL(0, feed(&reader, wire, count + 1U));
    CHECK_EQUAL(1, reader.bad_version);

    uint8_t endless[600];
    memset(endless, 9, sizeof endless);
    endless[599] = 0;
    CHECK_EQUAL(0, feed(&reader, endless, sizeof endless));
    CHECK_EQUAL(1, reader.bad_length);
    CHECK_EQUAL(0, feed(&reader, (const uint8_t *)"\0\0\0", 3));
    CHECK_EQUAL(2, frame_reader_bad(&reader));
}

/* Garbage may swallow the frame that it runs into, for it cannot be told where it ends; never the one after that. */
static void garbage(void)
{
    for (int round = 0; round < 20000; round++) {
        struct frame_reader reader;
        uint8_t bytes[1024];
        size_t count = 0;
        uint32_t junk = draw(400);
        frame_reader_init(&reader);
        for (uint32_t i = 0; i < junk; i++) {
            bytes[count++] = (uint8_t)draw(256);
        }

        feed(&reader, bytes, count);
        uint8_t first[FRAME_MAX_WIRE];
        uint8_t second[FRAME_MAX_WIRE];
        size_t first_length = random_frame(first, 60);
        size_t second_length = random_frame(second, 60);
        feed(&reader, first, first_length);
        CHECK_EQUAL(1, feed(&reader, second, second_length));
    }
}

static void bit_errors(void)
{
    for (int i = 0; i < 1000; i++) {
        uint8_t wire[FRAME_MAX_WIRE];
        uint8_t next[FRAME_MAX_WIRE];
        size_t count = random_frame(wire, 40);
        size_t next_count = random_frame(next, 4);
        struct frame_reader whole;
        frame_reader_init(&whole);
        CHECK_EQUAL(1, feed(&whole, wire, count));
        for (size_t bit = 0; bit < 8U * count; bit++) {
            struct frame_reader reader;
            frame_reader_init(&reader);
            wire[bit / 8U] ^= (uint8_t)(1U << (bit % 8U));
            CHECK_EQUAL(0, feed(&reader, wire, count));
            /* A broken delimiter glues the next frame to this one; the one after that is read. */
            unsigned after = feed(&reader, next, next_count);
            CHECK(after == 1 || (bit / 8U == count - 1U && feed(&reader, next, next_count) == 1));
            wire[bit / 8U] ^= (uint8_t)(1U << (bit % 8U));
        }
    }
}

static void random_buffers(void)
{
    struct frame_reader reader;
    unsigned accepted = 0;
    frame_reader_init(&reader);
    for (int i = 0; i < 1000000; i++) {
        uint8_t bytes[64];
        uint32_t count = draw(sizeof bytes) + 1U;
        for (uint32_t k = 0; k < count; k += 2U) {
            uint32_t two = draw(65536);
            bytes[k] = (uint8_t)(two & 0xFFU);
            if (k + 1U < count) {
                bytes[k + 1U] = (uint8_t)(two >> 8);
            }
        }

        bytes[count - 1U] = 0;
        accepted += feed(&reader, bytes, count);
    }

    /* Most fail at the stuffing or the length; the rest would pass a random CRC-32 with odds of 2^-32 each. */
    CHECK_EQUAL(0, accepted);
    printf("random buffers: %u not COBS, %u of a wrong length, %u with a wrong checksum\n", reader.bad_stuffing, reader.bad_length, reader.bad_checksum);
}

/* The bytes of a fence of PROTOCOL.md, or 0: lines of an offset, two spaces and at most 24 columns of hexadecimal (48 on the wire). */
static size_t documented(const char *fence, size_t columns, uint8_t *into)
{
    char line[256];
    char begin[64];
    size_t count = 0;
    bool inside = false;
    FILE *file = fopen(PROTOCOL, "r");
    snprintf(begin, sizeof begin, "```%s\n", fence);
    while (file != 0 && fgets(line, sizeof line, file) != 0) {
        if (inside && line[0] == '`') {
            break;
        }

        if (inside) {
            CHECK_EQUAL(count, strtoul(line, 0, 10));
            line[strlen(line) < 6 + columns ? strlen(line) : 6 + columns] = 0;
            for (char *at = line + 6; *at != 0 && *at != '\n' && *at != ' ';) {
                into[count++] = (uint8_t)strtoul(at, &at, 16);
                at += *at == ' ' ? 1 : 0;
            }
        }

        inside = inside || strcmp(line, begin) == 0;
    }

    if (file != 0) {
        fclose(file);
    }

    return count;
}

static void real_frames(void)
{
    static const char *const names[] = {"hello", "command", "state", "event"};
    for (size_t i = 0; i < 4U; i++) {
        char name[32];
        uint8_t packet[FRAME_MAX_WIRE];
        uint8_t wire[FRAME_MAX_WIRE];
        uint8_t written[FRAME_MAX_WIRE];
        struct frame_reader reader;
        snprintf(name, sizeof name, "%s-wire", names[i]);
        size_t length = documented(names[i], 24, packet);
        size_t count = documented(name, 48, wire);
        frame_reader_init(&reader);
        CHECK(length > FRAME_OVERHEAD);
        CHECK_EQUAL(1, feed(&reader, wire, count));
        CHECK_EQUAL(count, frame_write(written, packet[1], get_u16(packet + 2), packet + FRAME_HEADER, length - FRAME_OVERHEAD));
        CHECK(memcmp(wire, written, count) == 0);
    }
}

void frame_tests(void)
{
    real_frames();
    cobs_vectors();
    checksums();
    limits();
    garbage();
    bit_errors();
    random_buffers();
}
