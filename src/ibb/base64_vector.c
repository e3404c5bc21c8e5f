/* SPDX-License-Identifier: MIT */
#include "ibb/base64_vector.h"

#if defined(__x86_64__) || defined(__i386__)

#include <stdbool.h>
#include <tmmintrin.h>

#define WITH_SSSE3 __attribute__((target("ssse3")))

#define CHARACTERS 16 /* in a vector */
#define BYTES	   12 /* that they encode */

static bool has_ssse3(void)
{
	return __builtin_cpu_supports("ssse3");
}

/* ---- encoding ---- */

/* The four values of each three bytes aaaaaabb bbbbcccc ccdddddd, which are the first twelve of
 * `in`. */
WITH_SSSE3 static __m128i split(__m128i in)
{
	/* In each 32 bits, from the top: bbbbcccc ccdddddd aaaaaabb bbbbcccc */
	const __m128i order = _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
	in = _mm_shuffle_epi8(in, order);
	/* A multiplication shifts each 16 bits by another distance: a and c down, b and d up. */
	__m128i a_c = _mm_and_si128(in, _mm_set1_epi32(0x0fc0fc00));
	__m128i b_d = _mm_and_si128(in, _mm_set1_epi32(0x003f03f0));
	a_c = _mm_mulhi_epu16(a_c, _mm_set1_epi32(0x04000040));
	b_d = _mm_mullo_epi16(b_d, _mm_set1_epi32(0x01000010));
	return _mm_or_si128(a_c, b_d);
}

/* The characters of values from 0 to 63. Each range of the alphabet has its own difference between
 * the two. */
WITH_SSSE3 static __m128i characters_of(__m128i values)
{
	const char digit = '0' - 52;
	const __m128i differences =
		_mm_setr_epi8('a' - 26, digit, digit, digit, digit, digit, digit, digit, digit,
			      digit, digit, '+' - 62, '/' - 63, 'A', 0, 0);
	/* 0 for small letters, 1 to 10 for digits, 11 and 12 for the last two, 13 for capitals */
	__m128i range = _mm_subs_epu8(values, _mm_set1_epi8(51));
	__m128i is_capital = _mm_cmpgt_epi8(_mm_set1_epi8(26), values);
	range = _mm_or_si128(range, _mm_and_si128(is_capital, _mm_set1_epi8(13)));
	return _mm_add_epi8(values, _mm_shuffle_epi8(differences, range));
}

WITH_SSSE3 static size_t encode(char *text, const uint8_t *bytes, size_t length)
{
	size_t done = 0;
	/* Each step loads four bytes more than it encodes. */
	for (; length - done >= sizeof(__m128i); done += BYTES, text += CHARACTERS) {
		__m128i in = _mm_loadu_si128((const __m128i *)(bytes + done));
		_mm_storeu_si128((__m128i *)text, characters_of(split(in)));
	}
	return done;
}

size_t base64_vector_encode(char *text, const uint8_t *bytes, size_t length)
{
	return has_ssse3() ? encode(text, bytes, length) : 0;
}

/* ---- decoding ---- */

WITH_SSSE3 static __m128i high_nibbles(__m128i text)
{
	return _mm_and_si128(_mm_srli_epi32(text, 4), _mm_set1_epi8(0x0f));
}

/* Each bit stands for characters that are not in the alphabet. A character is one of them if its
 * high and its low nibble both have the bit. */
WITH_SSSE3 static bool is_valid(__m128i text)
{
	const __m128i of_high = _mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10,
					      0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
	const __m128i of_low = _mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
					     0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
	__m128i high = _mm_shuffle_epi8(of_high, high_nibbles(text));
	__m128i low = _mm_shuffle_epi8(of_low, _mm_and_si128(text, _mm_set1_epi8(0x0f)));
	__m128i wrong = _mm_cmpgt_epi8(_mm_and_si128(high, low), _mm_setzero_si128());
	return _mm_movemask_epi8(wrong) == 0;
}

/* The values of characters of the alphabet. The high nibble tells the difference between the two;
 * only '/' shares its own with '+', and takes the place of the nibble before. */
WITH_SSSE3 static __m128i values_of(__m128i text)
{
	const __m128i differences = _mm_setr_epi8(0, 63 - '/', 62 - '+', 52 - '0', -'A', -'A',
						  26 - 'a', 26 - 'a', 0, 0, 0, 0, 0, 0, 0, 0);
	__m128i is_slash = _mm_cmpeq_epi8(text, _mm_set1_epi8('/')); /* -1 */
	__m128i range = _mm_add_epi8(high_nibbles(text), is_slash);
	return _mm_add_epi8(text, _mm_shuffle_epi8(differences, range));
}

/* The opposite of split: twelve bytes, and four zeros. */
WITH_SSSE3 static __m128i join(__m128i values)
{
	const __m128i order = _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
	__m128i pairs = _mm_maddubs_epi16(values, _mm_set1_epi32(0x01400140)); /* a * 64 + b */
	__m128i quanta = _mm_madd_epi16(pairs, _mm_set1_epi32(0x00011000));    /* ab * 4096 + cd */
	return _mm_shuffle_epi8(quanta, order);
}

WITH_SSSE3 static size_t decode(uint8_t *bytes, const char *text, size_t length)
{
	size_t done = 0;
	/* Each step stores four bytes more than it decodes: two quanta must follow. */
	for (; length - done >= CHARACTERS + 8; done += CHARACTERS, bytes += BYTES) {
		__m128i in = _mm_loadu_si128((const __m128i *)(text + done));
		if (!is_valid(in)) {
			break;
		}
		_mm_storeu_si128((__m128i *)bytes, join(values_of(in)));
	}
	return done;
}

size_t base64_vector_decode(uint8_t *bytes, const char *text, size_t length)
{
	return has_ssse3() ? decode(bytes, text, length) : 0;
}

#else

size_t base64_vector_encode(char *text, const uint8_t *bytes, size_t length)
{
	(void)text, (void)bytes, (void)length;
	return 0;
}

size_t base64_vector_decode(uint8_t *bytes, const char *text, size_t length)
{
	(void)bytes, (void)text, (void)length;
	return 0;
}

#endif
