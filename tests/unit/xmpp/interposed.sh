#!/bin/sh
# SPDX-License-Identifier: MIT
#
# interposed.sh PROGRAM HEADER - whether each function that the header lists is exported by the
# program, and is what libstrophe's calls of that name are bound to.
set -u
program=$1
names=$(sed -n 's/.*[[:space:]]X(\([A-Za-z0-9_]*\)).*/\1/p' "$2")
bindings=$(LD_BIND_NOW=1 LD_DEBUG=bindings "$program" --version 2>&1 >/dev/null)
status=0

count=0
for name in $names; do
	count=$((count + 1))
	if ! printf '%s\n' "$bindings" |
		grep -q "binding file [^ ]*libstrophe\.so[^ ]* \[0\] to [^ ]*/ibbfs \[0\]: normal symbol .$name'"; then
		echo "libstrophe's calls of $name do not reach $program:"
		printf '%s\n' "$bindings" | grep ".$name'" || echo "  nobody's do"
		status=1
	fi
done
[ "$count" -gt 6 ] || { echo "no names in $2"; status=1; }
exit $status
