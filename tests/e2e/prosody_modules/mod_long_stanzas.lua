-- SPDX-License-Identifier: MIT
-- Carries no block whose base64 is longer than long_stanzas_limit: it is answered with an error if
-- long_stanzas is "error", else dropped.
local st = require "util.stanza";

local limit = module:get_option_number("long_stanzas_limit");
local how = module:get_option_string("long_stanzas");

local function stop(event)
	local data = event.stanza:get_child_text("data", "http://jabber.org/protocol/ibb");
	if data == nil or #data <= limit then
		return nil;
	end
	if how == "error" then
		event.origin.send(st.error_reply(event.stanza, "modify", "policy-violation"));
	end
	return true;
end

module:hook("pre-iq/full", stop, 1000);
module:hook("pre-message/full", stop, 1000);
