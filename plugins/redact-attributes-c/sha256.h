// SHA-256 (FIPS 180-4), in hex.
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_HEX = 64 };

void sha256_hex(const uint8_t *bytes, size_t length, uint8_t hex[SHA256_HEX]);

#endif
