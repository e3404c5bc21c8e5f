/* SPDX-License-Identifier: MIT */
/*
 * gloox_tls - gloox's TLS, given one record at a time.
 *
 * It has GnuTLS read until that has an error to report, and a session ticket of TLS 1.3 is reported
 * as one (GNUTLS_E_AGAIN): what has come together with the ticket would stay where it is until the
 * server says more, which waits for us.
 */
#ifndef PEERS_GLOOX_TLS_HPP
#define PEERS_GLOOX_TLS_HPP

#include <gloox/tlsdefault.h>
#include <string>

class gloox_tls : public gloox::TLSDefault
{
	std::string input; /* the beginning of a record */

      public:
	using TLSDefault::TLSDefault;

	int decrypt(const std::string &data) override
	{
		/* RFC 8446 section 5.1: type, version in two bytes, length in two. */
		static const size_t HEADER = 5;
		int sum = 0;
		input += data;
		while (input.size() >= HEADER) {
			size_t length = HEADER + static_cast<unsigned char>(input[3]) * 256 +
					static_cast<unsigned char>(input[4]);
			if (input.size() < length) {
				break;
			}
			std::string record = input.substr(0, length);
			input.erase(0, length); /* first: the handler may come back here */
			sum += TLSDefault::decrypt(record);
		}
		return sum;
	}
};

#endif
