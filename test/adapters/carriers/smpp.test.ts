// An SMSC may refuse, stall, throttle, garble or vanish at any octet: what became of a message is told as it is.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TlsOptions } from "node:tls";
import type { Carrier, OutboundMessage } from "../../../adapters/carriers/carrier.ts";
import { createSmpp } from "../../../adapters/carriers/smpp.ts";
import { Plaintext } from "../../../domain/plaintext.ts";
import { until } from "../../stack/carrier/start.ts";
import { startSmsc } from "./smpp/smsc.ts";

const never = new AbortController().signal;
const secrets = { systemId: "lethe", password: "secret" };

const message = (text = "hello", more: Partial<OutboundMessage> = {}): OutboundMessage => ({
	to: Plaintext.text("+12025550142"),
	text: Plaintext.text(text),
	reference: "ref",
	sender: "LETHE",
	validitySeconds: 90_061,
	...more,
});

function open(url: string, settings: Record<string, string> = {}, more = {}): Carrier & AsyncDisposable {
	const carrier = createSmpp({
		settings: { url, responseSeconds: "1", ...settings },
		secrets: { ...secrets, ...more },
	});
	return { ...carrier, [Symbol.asyncDispose]: async () => carrier.close?.() };
}

describe("what is written", () => {
	test("a message goes with its addresses, its text, its validity and a receipt asked for", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url);
		assert.deepEqual(await carrier.send(message("€ at {noon}"), never), {
			kind: "accepted",
			carrierId: "10",
			segments: 1,
		});
		const { fields, tlvs } = smsc.accepted[0] ?? assert.fail();
		assert.deepEqual(
			{ ...fields, short_message: (fields.short_message as Buffer).toString("hex") },
			{
				service_type: "",
				source_addr_ton: 5,
				source_addr_npi: 0,
				source_addr: "LETHE",
				dest_addr_ton: 1,
				dest_addr_npi: 1,
				destination_addr: "12025550142",
				esm_class: 0,
				protocol_id: 0,
				priority_flag: 0,
				schedule_delivery_time: "",
				// One day, one hour, one minute, one second.
				validity_period: "000001010101000R",
				registered_delivery: 1,
				replace_if_present_flag: 0,
				data_coding: 0,
				sm_default_msg_id: 0,
				short_message: "1b65206174201b286e6f6f6e1b29",
			},
		);
		assert.deepEqual(tlvs, []);
		const bind = smsc.heard("bind_transceiver")[0]?.fields;
		assert.deepEqual([bind?.system_id, bind?.password, bind?.interface_version], ["lethe", "secret", 0x34]);
	});

	test("a long text goes in parts that a handset joins, and no pair is split", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url);
		for (const text of [`${"a".repeat(152)}€${"b".repeat(100)}`, `${"я".repeat(66)}😀${"я".repeat(10)}`]) {
			smsc.accepted.length = 0;
			const outcome = await carrier.send(message(text), never);
			assert.ok(outcome.kind === "accepted");
			assert.deepEqual([outcome.segments, outcome.partIds?.length, outcome.partIds?.[0]], [2, 2, outcome.carrierId]);
			const octets = smsc.accepted.map(({ fields }) => fields.short_message as Buffer);
			const reference = octets[0]?.[3];
			assert.deepEqual(
				octets.map((each) => [...each.subarray(0, 6)]),
				[1, 2].map((number) => [5, 0, 3, reference, 2, number]),
			);
			assert.ok(smsc.accepted.every(({ fields }) => fields.esm_class === 0x40));
			// The pair has gone whole into the second.
			assert.equal(
				octets[1]
					?.subarray(6, 10)
					.toString("hex")
					.slice(0, text.startsWith("a") ? 4 : 8),
				text.startsWith("a") ? "1b65" : "d83dde00",
			);
		}
	});

	test("a part that is written later is valid for as much less", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url, { responseSeconds: "3" });
		let firstAt = 0;
		smsc.follow((pdu, peer) => {
			if (pdu.command !== "submit_sm") return false;
			firstAt ||= performance.now();
			const isThrottled = smsc.accepted.length > 0 && performance.now() - firstAt < 1_100;
			if (isThrottled) peer.answer(pdu, {}, 0x58);
			return isThrottled;
		});
		assert.equal((await carrier.send(message("x".repeat(200)), never)).kind, "accepted");
		const [first, second] = smsc.accepted.map(({ fields }) => String(fields.validity_period));
		assert.equal(first, "000001010101000R");
		assert.ok(second !== undefined && second < first, second);
	});

	test("a long text goes whole as message_payload where the queue says so", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url, { longMessages: "payload" });
		const outcome = await carrier.send(message("x".repeat(161)), never);
		assert.ok(outcome.kind === "accepted");
		assert.deepEqual([outcome.segments, outcome.partIds], [2, undefined]);
		const { fields, tlvs } = smsc.accepted[0] ?? assert.fail();
		assert.deepEqual([fields.short_message, tlvs[0]?.tag, tlvs[0]?.value.length], [Buffer.alloc(0), 0x0424, 161]);
	});

	test("senders are typed as what they are, and what can be none is refused unsent", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url);
		for (const sender of ["+4915112345678", "12345", undefined]) await carrier.send(message("m", { sender }), never);
		assert.deepEqual(
			smsc.accepted.map(({ fields }) => [fields.source_addr_ton, fields.source_addr_npi, fields.source_addr]),
			[
				[1, 1, "4915112345678"],
				[3, 0, "12345"],
				[0, 0, ""],
			],
		);
		for (const sender of ["far too long a name", "Zoë"]) {
			const outcome = await carrier.send(message("m", { sender }), never);
			assert.deepEqual(outcome, { kind: "rejected", code: "sender_refused", permanent: true });
		}
		assert.equal(smsc.accepted.length, 3);
	});
});

describe("what an answer means", () => {
	const cases = [
		[0x0b, { kind: "rejected", code: "invalid_recipient", permanent: true }],
		[0x0a, { kind: "rejected", code: "sender_refused", permanent: true }],
		[0x01, { kind: "rejected", code: "invalid_request", permanent: true }],
		[0x4ff, { kind: "rejected", code: "other", permanent: true }],
		[0x08, { kind: "rejected", code: "unavailable", permanent: false }],
		[0x58, { kind: "throttled", retryAfterMs: 1000 }],
		// Twice in a row.
		[0x14, { kind: "throttled", retryAfterMs: 2000 }],
	] as const;

	test("each status becomes one outcome, and throttling is given more time each time in a row", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url);
		for (const [commandStatus, expected] of cases) {
			smsc.follow((pdu, peer) => {
				if (pdu.command !== "submit_sm") return false;
				peer.answer(pdu, {}, commandStatus);
				return true;
			});
			assert.deepEqual(await carrier.send(message(), never), expected);
		}
		smsc.follow(() => false);
		assert.equal((await carrier.send(message(), never)).kind, "accepted");
		assert.equal(smsc.peers.length, 1);
	});

	test("a message that is cut off after it was written is ambiguous, one before it surely is not sent", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url);
		smsc.follow((pdu, peer) => {
			if (pdu.command !== "submit_sm") return false;
			peer.socket.destroy();
			return true;
		});
		assert.deepEqual(await carrier.send(message(), never), { kind: "ambiguous", code: "connection_lost" });
		// While the link is down.
		assert.deepEqual(await carrier.send(message(), never), { kind: "rejected", code: "unreachable", permanent: false });
		smsc.follow(() => false);
		await until(() => smsc.peers.length === 2);
		await until(async () => (await carrier.send(message(), never)).kind === "accepted");
	});

	test("no answer in time is ambiguous, its late answer nobody's, and a link that is deaf is made anew", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url);
		smsc.follow((pdu) => pdu.command === "submit_sm" || pdu.command === "enquire_link");
		assert.deepEqual(await carrier.send(message(), never), { kind: "ambiguous", code: "timeout" });
		await until(() => smsc.heard("enquire_link").length === 1);
		const [first] = smsc.peers;
		const late = smsc.heard("submit_sm")[0];
		if (first && late) first.answer(late, { message_id: "late" });
		smsc.follow(() => false);
		await until(() => smsc.peers.length === 2);
		await until(async () => {
			const outcome = await carrier.send(message(), never);
			return outcome.kind === "accepted" && outcome.carrierId !== "late";
		});
	});

	test("answers that are none of SMPP's, of another request, or nameless leave the outcome open, and the link up", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url);
		const garbled = [
			(sequence: number) => Buffer.from(`000000188000000400000000${hex(sequence)}6161616161616161`, "hex"),
			(sequence: number) => Buffer.from(`000000108000001500000000${hex(sequence)}`, "hex"),
			(sequence: number) => Buffer.from(`000000118000000400000000${hex(sequence)}00`, "hex"),
		];
		for (const garble of garbled) {
			smsc.follow((pdu, peer) => {
				if (pdu.command !== "submit_sm") return false;
				peer.socket.write(garble(pdu.sequence_number));
				return true;
			});
			assert.deepEqual(await carrier.send(message(), never), { kind: "ambiguous", code: "unreadable_answer" });
		}
		smsc.follow(() => false);
		assert.equal((await carrier.send(message(), never)).kind, "accepted");
		assert.equal(smsc.peers.length, 1);
	});

	test("generic_nack refuses what it answers, and a stream that can't be followed is left", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url);
		smsc.follow((pdu, peer) => {
			if (pdu.command !== "submit_sm") return false;
			peer.socket.write(Buffer.from(`000000108000000000000003${hex(pdu.sequence_number)}`, "hex"));
			return true;
		});
		const refused = { kind: "rejected", code: "invalid_request", permanent: true };
		assert.deepEqual(await carrier.send(message(), never), refused);
		smsc.follow((pdu, peer) => {
			if (pdu.command !== "submit_sm") return false;
			peer.socket.write(Buffer.from(`0fffffff8000000400000000${hex(pdu.sequence_number)}`, "hex"));
			return true;
		});
		assert.deepEqual(await carrier.send(message(), never), { kind: "ambiguous", code: "connection_lost" });
		await until(() => smsc.heard("generic_nack").length === 1);
	});

	test("no part is written once its message's time is over, however long it was put off", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url, { responseSeconds: "3" });
		const writtenAt: number[] = [];
		smsc.follow((pdu, peer) => {
			if (pdu.command !== "submit_sm" || writtenAt.push(performance.now()) === 1) return false;
			peer.answer(pdu, {}, 0x58);
			return true;
		});
		const outcome = await carrier.send(message("x".repeat(200), { validitySeconds: 1 }), never);
		assert.deepEqual(outcome, { kind: "ambiguous", code: "carrier_error" });
		const [firstAt = 0, ...othersAt] = writtenAt;
		assert.ok(othersAt.length > 1, "tried again while there was time");
		assert.ok(othersAt.every((at) => at - firstAt < 1_500));
	});

	test("of a message in parts the first decides; a part that is throttled is tried again, one that is lost or refused leaves all open", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url);
		const long = "x".repeat(400);
		const refuseNth = (nth: number, commandStatus: number) => {
			let seen = 0;
			smsc.follow((pdu, peer) => {
				if (pdu.command !== "submit_sm" || ++seen !== nth) return false;
				if (commandStatus > 0) peer.answer(pdu, {}, commandStatus);
				return true;
			});
		};
		refuseNth(1, 0x58);
		assert.equal((await carrier.send(message(long), never)).kind, "throttled");
		assert.equal(smsc.accepted.length, 0);
		refuseNth(2, 0x58);
		const outcome = await carrier.send(message(long), never);
		assert.ok(outcome.kind === "accepted" && outcome.partIds?.length === 3);
		refuseNth(2, 0x0b);
		// The others are with the SMSC: it was not surely not sent.
		assert.deepEqual(await carrier.send(message(long), never), { kind: "ambiguous", code: "invalid_recipient" });
		refuseNth(3, 0);
		assert.equal((await carrier.send(message(long), never)).kind, "ambiguous");
	});
});

const hex = (sequence: number) => sequence.toString(16).padStart(8, "0");

describe("links", () => {
	test("no more than the window is under way, and who waits is served in order", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url, { window: "3", responseSeconds: "10" });
		const held: (() => void)[] = [];
		smsc.follow((pdu, peer) => {
			if (pdu.command !== "submit_sm") return false;
			held.push(() => peer.answer(pdu, { message_id: String(pdu.fields.short_message) }));
			return true;
		});
		const sends = Array.from({ length: 8 }, (_, index) => carrier.send(message(`m${index}`), never));
		for (let answered = 0; answered < 8; answered++) {
			await until(() => held.length === Math.min(8, answered + 3));
			held[answered]?.();
			await sends[answered];
		}
		const ids = (await Promise.all(sends)).map((outcome) => outcome.kind === "accepted" && outcome.carrierId);
		assert.deepEqual(ids, ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7"]);
	});

	test("a message that is due no longer when its turn comes, or is waited for no more, is never written", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url, { window: "1", responseSeconds: "10" });
		const held: (() => void)[] = [];
		smsc.follow((pdu, peer) => {
			if (pdu.command !== "submit_sm") return false;
			held.push(() => peer.answer(pdu, { message_id: "1" }));
			return true;
		});
		const first = carrier.send(message(), never);
		let due = true;
		const second = carrier.send(message("late", { stillDue: () => due }), never);
		const stop = new AbortController();
		const third = carrier.send(message("stopped"), stop.signal);
		await until(() => held.length === 1);
		due = false;
		stop.abort();
		held[0]?.();
		assert.equal((await first).kind, "accepted");
		assert.deepEqual(await second, { kind: "rejected", code: "withdrawn", permanent: false });
		assert.deepEqual(await third, { kind: "rejected", code: "aborted", permanent: false });
		// Behind this one nothing is on its way any more.
		const last = carrier.send(message("last"), never);
		await until(() => held.length === 2);
		held[1]?.();
		assert.equal((await last).kind, "accepted");
		const written = smsc.heard("submit_sm").map(({ fields }) => String(fields.short_message));
		assert.deepEqual(written, ["hello", "last"]);
	});

	test("several binds share the work, and split ones send on transmitters only", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url, { bind: "split", binds: "2", window: "1" });
		carrier.receive?.(async () => true);
		await Promise.all(Array.from({ length: 6 }, () => carrier.send(message(), never)));
		assert.deepEqual([smsc.heard("bind_transmitter").length, smsc.heard("bind_receiver").length], [2, 0]);
		const busy = smsc.peers.filter(({ heard }) => heard.some(({ command }) => command === "submit_sm"));
		assert.equal(busy.length, 2);
	});

	test("credentials that are refused are told apart from an SMSC that is away", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url);
		smsc.follow((pdu, peer) => {
			if (pdu.command === "bind_transceiver") peer.answer(pdu, {}, 0x0e);
			return true;
		});
		const refused = { kind: "rejected", code: "credentials_refused", permanent: false };
		assert.deepEqual(await carrier.send(message(), never), refused);
	});

	test("that an SMSC refuses the links on which it would bring something is told, and that it takes messages all the same", async () => {
		await using smsc = await startSmsc();
		const callbackKey = Buffer.alloc(32, 7).toString("base64");
		await using carrier = open(smsc.url, { bind: "split" }, { callbackKey });
		smsc.follow((pdu, peer) => {
			if (pdu.command !== "bind_receiver") return false;
			peer.answer(pdu, {}, 0x0e);
			return true;
		});
		const receive = () => carrier.receive?.(async () => true);
		assert.equal(receive(), undefined, "none was tried yet");
		assert.equal((await carrier.send(message(), never)).kind, "accepted");
		await until(() => receive() === "credentials_refused");
		assert.ok(smsc.heard("bind_receiver").length >= 2);
		smsc.follow(() => false);
		await until(() => receive() === true, 15_000);
	});

	test("an SMSC that takes a bind and closes then has let no link stand, and is asked less and less often", async () => {
		await using smsc = await startSmsc();
		const callbackKey = Buffer.alloc(32, 7).toString("base64");
		await using carrier = open(smsc.url, { bind: "split" }, { callbackKey });
		smsc.follow((pdu, peer) => {
			if (pdu.command !== "bind_receiver") return false;
			peer.answer(pdu, { system_id: "smsc" });
			peer.socket.end();
			return true;
		});
		const receive = () => carrier.receive?.(async () => true);
		await until(() => receive() === "unreachable");
		const binds = smsc.heard("bind_receiver").length;
		await until(() => smsc.heard("bind_receiver").length > binds);
		assert.equal(receive(), "unreachable", "one more bind that is taken mends nothing");
	});

	test("the SMSC's enquire_link is answered, its unbind too, and what it had under way ends first", async () => {
		await using smsc = await startSmsc();
		await using carrier = open(smsc.url);
		await carrier.send(message(), never);
		const [peer] = smsc.peers;
		assert.ok(peer);
		assert.equal((await smsc.answerTo(peer, peer.ask("enquire_link"))).command, "enquire_link_resp");
		assert.equal((await smsc.answerTo(peer, peer.ask("query_sm", { message_id: "1" }))).command_status, 3);
		let release: () => void = () => undefined;
		smsc.follow((pdu, at) => {
			if (pdu.command !== "submit_sm") return false;
			release = () => at.answer(pdu, { message_id: "last" });
			return true;
		});
		const last = carrier.send(message(), never);
		await until(() => smsc.heard("submit_sm").length === 2);
		assert.equal((await smsc.answerTo(peer, peer.ask("unbind"))).command, "unbind_resp");
		release();
		assert.deepEqual(await last, { kind: "accepted", carrierId: "last", segments: 1 });
		smsc.follow(() => false);
		await until(() => smsc.peers.length === 2);
	});

	test("closing lets what is under way end, then unbinds", async () => {
		await using smsc = await startSmsc();
		const carrier = open(smsc.url);
		let release: () => void = () => undefined;
		smsc.follow((pdu, at) => {
			if (pdu.command !== "submit_sm") return false;
			release = () => at.answer(pdu, { message_id: "last" });
			return true;
		});
		const last = carrier.send(message(), never);
		await until(() => smsc.heard("submit_sm").length === 1);
		const closing = carrier.close?.();
		const refused = { kind: "rejected", code: "aborted", permanent: false };
		assert.deepEqual(await carrier.send(message(), never), refused);
		assert.equal(smsc.heard("unbind").length, 0);
		release();
		assert.equal((await last).kind, "accepted");
		await closing;
		assert.equal(smsc.heard("unbind").length, 1);
	});
});

describe("TLS", () => {
	/** A certificate of its own authority, for this name or address. */
	function makeCertificate(name: string) {
		const folder = mkdtempSync(join(tmpdir(), "lethe-smpp-"));
		const [key, cert] = ["key.pem", "cert.pem"].map((file) => join(folder, file)) as [string, string];
		const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${isIP(name) ? "IP" : "DNS"}:${name}`];
		const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
		const { status } = spawnSync("openssl", ["req", "-x509", ...kind, ...subject, "-keyout", key, "-out", cert]);
		assert.equal(status, 0, "openssl is needed to make a certificate");
		const made = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
		rmSync(folder, { recursive: true });
		return made;
	}
	const unreachable = { kind: "rejected", code: "unreachable", permanent: false };

	test("a link is made to a verified certificate only, of that name, by TLS 1.2 or later", async () => {
		const own = makeCertificate("localhost");
		await using smsc = await startSmsc({ tls: own });
		await using trusting = open(smsc.url, { ca: own.cert });
		assert.equal((await trusting.send(message(), never)).kind, "accepted");
		await using doubting = open(smsc.url);
		assert.deepEqual(await doubting.send(message(), never), unreachable);
		const other = makeCertificate("smsc.example");
		await using impostor = await startSmsc({ tls: other });
		await using named = open(impostor.url, { ca: other.cert });
		assert.deepEqual(await named.send(message(), never), unreachable);
		// Old OpenSSL rules, so that the server speaks it at all.
		const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT:@SECLEVEL=0" } as const;
		await using dated = await startSmsc({ tls: { ...own, ...old } });
		await using modern = open(dated.url, { ca: own.cert });
		assert.deepEqual(await modern.send(message(), never), unreachable);
		for (const each of [impostor, dated]) assert.equal(each.heard("bind_transceiver").length, 0);
	});

	test("an SMSC that is named by its address is known by it, and the address is told as no server's name (RFC 6066, 3)", async (t) => {
		const names: (string | undefined)[] = [];
		const own = makeCertificate("127.0.0.1");
		const SNICallback: TlsOptions["SNICallback"] = (name, done) => done(null, void names.push(name));
		await using smsc = await startSmsc({ tls: { ...own, SNICallback } });
		const warnings: string[] = [];
		const warn = ({ message }: Error) => void warnings.push(message);
		process.on("warning", warn);
		t.after(() => process.off("warning", warn));
		await using carrier = open(`smpps://127.0.0.1:${smsc.port}`, { ca: own.cert });
		assert.equal((await carrier.send(message(), never)).kind, "accepted");
		const other = makeCertificate("127.0.0.2");
		await using impostor = await startSmsc({ tls: other });
		await using named = open(`smpps://127.0.0.1:${impostor.port}`, { ca: other.cert });
		assert.deepEqual(await named.send(message(), never), unreachable);
		assert.deepEqual([names, warnings], [[], []]);
	});

	test("what can't be used safely is refused at once, and the refusal repeats none of it", () => {
		const bad: [Record<string, string>, Record<string, string>][] = [
			[{ url: "smpp://marker.example:2775" }, {}],
			[{ url: "smpp://127.0.0.1.marker.example:2775" }, {}],
			[{ url: "smpps://marker:marker@smsc.example:2775" }, {}],
			[{ url: "smpps://marker.example" }, {}],
			[{ url: "smpps://marker.example:99999" }, {}],
			[{ bind: "marker" }, {}],
			[{ window: "0" }, {}],
			[{ binds: "marker" }, {}],
			[{}, { systemId: "lethe", password: "marker-marker" }],
			[{}, { callbackKey: "marker" }],
		];
		for (const [settings, own] of bad) {
			assert.throws(
				() => createSmpp({ settings, secrets: own }),
				(error) => error instanceof TypeError && !/marker|99999/.test(error.message),
			);
		}
	});
});
