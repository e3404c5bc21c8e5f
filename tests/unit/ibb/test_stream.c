/* SPDX-License-Identifier: MIT */
/* stream: the examples of XEP-0047, from the first to the last state. */
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ROMEO  "romeo@montague.net/orchard"
#define JULIET "juliet@capulet.com/balcony"

static void test_examples_of_the_initiator(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		/* 1 and 2 */
		{"dial i781hf64 " JULIET "; open i781hf64 o", "o1.0 open " JULIET " i781hf64 4096"},
		{JULIET ": result o1.0", "o=0"},
		/* 6 to 9 */
		{"write i781hf64 w 5000", "w=5000; d1.0 data " JULIET " i781hf64 0 4096"},
		{"flush i781hf64 f", "d1.1 data " JULIET " i781hf64 1 904"},
		{JULIET ": result d1.0", ""},
		{JULIET ": result d1.1", "f=0"},
		/* 11 and 12 */
		{"release i781hf64", "c1.0 close " JULIET " i781hf64"},
		{"count", "count 1"},
		{JULIET ": result c1.0", ""},
		{"count", "count 0"},
	};
	struct stream_config config = script_config;
	config.block_size = 4096;
	config.window = 65536;
	struct script script;
	script_start(&script, &config, 1);
	script_run(&script, steps, COUNT(steps));
	script_finish(&script);
}

static void test_examples_of_the_responder(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{ROMEO ": open i781hf64 jn3h8g65 4096", "jn3h8g65 result " ROMEO},
		{"take i781hf64; state i781hf64", "open"},
		{ROMEO ": data i781hf64 kr91n475 0 100", "kr91n475 result " ROMEO},
		{ROMEO ": data i781hf64 kr91n476 1 4096", "kr91n476 result " ROMEO},
		{"read i781hf64 r1 10000", "r1=4196"},
		/* section 2.4: both directions */
		{"write i781hf64 w 10", "w=10; d1.0 data " ROMEO " i781hf64 0 10"},
		{ROMEO ": result d1.0", ""},
		{ROMEO ": close i781hf64 us71g45j", "us71g45j result " ROMEO},
		{"state i781hf64; read i781hf64 r2 10000", "finished; r2=0"},
	};
	struct stream_config config = script_config;
	config.block_size = 4096;
	config.window = config.buffer = 65536;
	struct script script;
	script_start(&script, &config, 1);
	script_run(&script, steps, COUNT(steps));
	script_finish(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples_of_the_initiator),
		cmocka_unit_test(test_examples_of_the_responder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
