#include "net/guard.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static bool public4(uint32_t a) {
    static const struct {
        uint32_t net;
        uint8_t bits;
    } special[] = {
        {0x00000000, 8},  {0x0A000000, 8},  {0x64400000, 10}, {0x7F000000, 8},  {0xA9FE0000, 16},
        {0xAC100000, 12}, {0xC0000000, 24}, {0xC0000200, 24}, {0xC0586300, 24}, {0xC0A80000, 16},
        {0xC6120000, 15}, {0xC6336400, 24}, {0xCB007100, 24}, {0xE0000000, 4},  {0xF0000000, 4},
    };
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if ((a ^ special[i].net) >> (32 - special[i].bits) == 0) return false;
    return true;
}

static uint32_t be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Global unicast is 2000::/3; within it are Teredo, documentation, benchmarks, ORCHID (2001::/23), 6to4 with an
 * IPv4 address inside, and more documentation. */
static bool public6(const uint8_t *p) {
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    if (memcmp(p, mapped, sizeof mapped) == 0) return public4(be32(p + 12));
    if (p[0] >> 5 != 1) return false;
    uint32_t first = be32(p);
    if (first >> 9 == 0x20010000 >> 9 || first == 0x20010DB8 || first >> 12 == 0x3FFF0) return false;
    return first >> 16 != 0x2002 || public4(be32(p + 2));
}

bool guard_public(const struct sockaddr *a) {
    if (a->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, a, sizeof in);
        return public4(ntohl(in.sin_addr.s_addr));
    }
    if (a->sa_family != AF_INET6) return false;
    struct sockaddr_in6 in6;
    memcpy(&in6, a, sizeof in6);
    return public6(in6.sin6_addr.s6_addr);
}
