// A secure link as data: what may be its PIN, who needs one, when it opens, and what each change leaves behind.

import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../../domain/limits.ts";
import { claimLink, isGuessable, linkNeed, needsPin, refusePin, standingOfLink } from "../../domain/link.ts";
import type { LinkRecord } from "../../domain/linkRecord.ts";
import type { Message } from "../../domain/message.ts";
import { end, submit } from "../../domain/transition.ts";
import { messageOf } from "../harness/message.ts";

const open: LinkRecord = { hash: "h", channel: "c", expiresAt: 1_000, pinRounds: 600_000, wrongPins: 0, state: "open" };

function linked(link: Partial<LinkRecord> = {}, more: Partial<Message> = {}): Message {
	const message = messageOf({ state: "submitted", attempt: 1, contentEraseBy: 2_000 });
	const attempts = [{ number: 1, startedAt: 0, leaseUntil: 1, claim: "clm", outcome: "accepted" as const }];
	return { ...message, attempts, link: { ...open, ...link }, ...more };
}

test("a PIN that others would try first is none", () => {
	const dates = ["24121961", "24.12.1961", "1961-12-24", "12/24/1961", "4.12.1961", "24.12.61"];
	const guessable = ["1234", "１２３４", "98765", "0000", "aaaa", "----", ...dates];
	assert.deepEqual(
		guessable.filter((pin) => !isGuessable(pin)),
		[],
	);
	const good = ["4711", "8203", "24121", "99999123", "4f7-Ω2", "korrekt7", "31022099x"];
	assert.deepEqual(good.filter(isGuessable), []);
});

test("health needs a PIN, however it is named", () => {
	assert.ok(needsPin("health", [], []));
	assert.ok(needsPin("transactional", ["contact", "phi"], []));
	assert.ok(needsPin("transactional", ["appointment"], ["PHI_SECURE_LINK"]));
	assert.ok(!needsPin("transactional", ["contact"], ["DELIVERY_MODE_ASKED"]));
});

test("a link opens from its handing over until it is used, closed, withheld, expired or erased", () => {
	assert.equal(standingOfLink(linked(), 999), "open");
	assert.equal(standingOfLink(linked({}, { attempts: [] }), 999), undefined);
	assert.equal(standingOfLink(linked(), 1_000), "expired");
	assert.equal(standingOfLink(linked({ expiresAt: 9_000 }), 2_000), "expired");
	assert.equal(standingOfLink(linked({ state: "closed" }), 1_000), "closed");
	assert.equal(standingOfLink(linked({}, { restrictedBy: ["hld_a"] }), 999), "withheld");
	const { content: _, ...erased } = linked();
	assert.equal(standingOfLink(erased as Message, 999), "erased");
	const held = { state: "claimed", session: "s", claimedAt: 0, expiresAt: 1e12 } as const;
	const late = { ...linked(held), retention: { content: { eraseBy: 1e12, atFinal: false } } };
	assert.equal(standingOfLink(late, limits.linkSessionMsMax - 1), "claimed");
	assert.equal(standingOfLink(late, limits.linkSessionMsMax), "read");
});

test("of wrong PINs that come at once each is counted: a change holds for the count that it saw", () => {
	const message = linked({ wrongPins: limits.linkWrongPinsMax - 1 });
	const change = refusePin(message, message.link as LinkRecord, 5);
	assert.equal(change.where?.["link.wrongPins"], limits.linkWrongPinsMax - 1);
	assert.deepEqual([change.set?.["link.state"], change.to], ["closed", undefined]);
	assert.deepEqual(
		change.evidence?.map(({ type }) => type),
		["link_refused", "link_closed"],
	);
	assert.equal(refusePin(linked(), open, 5).set?.["link.state"], undefined);
	assert.equal(claimLink(linked(), open, "s", 5).where?.["link.state"], "open");
});

test("a page that fetches it again leaves an entry, until the message has room for no more; the first opening always does", () => {
	const full = {
		evidence: Array.from({ length: limits.evidencePerMessageMax }, () => ({ at: 0, type: "queued" as const })),
	};
	const claimed = { state: "claimed", session: "s", claimedAt: 0 } as const;
	const left = (message: Message) => {
		const { evidence, set } = claimLink(message, message.link as LinkRecord, "s", 5);
		return [evidence?.map(({ type, code }) => [type, code]), Object.keys(set ?? {}).length];
	};
	assert.deepEqual(left(linked(claimed)), [[["link_opened", "again"]], 0]);
	assert.deepEqual(left(linked(claimed, full)), [[], 0]);
	assert.deepEqual(left(linked({}, full)), [[["link_opened", undefined]], 3]);
});

test("the fragment goes with the update that hands the link over, or ends the message, held or not", () => {
	const message = linked({}, { state: "sending" });
	assert.ok(submit(message, "c-1", 1, 5).unset?.includes("link.fragment"));
	assert.ok(end(linked({}, { holds: ["hld_a"] }), "unknown", 5).unset?.includes("link.fragment"));
	assert.equal(submit(messageOf({ state: "sending", attempt: 1 }), "c-1", 1, 5).unset?.length, 0);
});

test("content is needed in whole hours: the cohorts of many links are few", () => {
	assert.equal(linkNeed(0, 3600_001), "PT2H");
	assert.equal(linkNeed(0, 7 * 24 * 3600_000), "PT168H");
});
