// Whatever is sent, and however it is broken: no answer and no log line repeats a number, a text or a key.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { Plaintext } from "../../domain/plaintext.ts";
import { createTestApi, inboundOf, messageBody, number, type TestApi, text } from "./harness.ts";

const marks = ["491718887766", "Geheimnis-Marke", "lethe_key_marked-and-wrong-0123"];

describe("answers and logs", () => {
	let api: TestApi;
	let key: string;
	before(async () => {
		api = await createTestApi();
		({ key } = await api.addTenant());
	});
	after(() => api.close());

	const clean = (output: string, also: string[] = []) => {
		for (const mark of [...marks, ...also]) {
			// Buffers are printed as lists of bytes.
			const forms = [mark, [...Buffer.from(mark)].join(","), Buffer.from(mark).toString("hex")];
			for (const form of forms) assert.ok(!output.includes(form), `${mark} in ${output.slice(0, 300)}`);
		}
	};

	const mark = fc.constantFrom(...marks);
	const fields = [...Object.keys(messageBody()), "sendAt", "sender", "clientReference", "recipientRegion", "timezone"];
	const place = fc.oneof(
		fc.record({
			kind: fc.constant("value" as const),
			name: fc.constantFrom(...fields, "subjectResidence", "optedOut"),
		}),
		fc.record({ kind: fc.constant("wrapped" as const), name: fc.constantFrom(...fields, "consent", "context") }),
		fc.record({ kind: fc.constant("name" as const), name: fc.constantFrom("", "consent", "context") }),
	);

	it("a body that is wrong in any place is refused without being repeated", async () => {
		const property = fc.asyncProperty(place, mark, fc.anything({ maxDepth: 2 }), async (where, secret, junk) => {
			// A text with a mark in it is a good text, and `to` may hold a good number.
			fc.pre(where.kind !== "value" || !["body", "to"].includes(where.name));
			const body: Record<string, unknown> = messageBody({ to: `+${marks[0]}x` });
			if (where.kind === "value") body[where.name] = secret;
			if (where.kind === "wrapped") body[where.name] = { [secret]: junk, nested: [secret, { secret }] };
			if (where.kind === "name" && where.name === "") body[secret] = junk;
			if (where.kind === "name" && where.name !== "") body[where.name] = { [secret]: secret };
			const payload = JSON.stringify(body, (_name, value) => (typeof value === "bigint" ? String(value) : value));
			const answer = await api.request(key, "POST", "/v1/messages", payload);
			assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} ${payload}`);
			assert.equal(answer.json.code === "internal", false);
			clean(answer.text);
			clean(JSON.stringify(answer.headers));
		});
		await fc.assert(property, { numRuns: 150 });
		clean(api.logLines.join(""));
	});

	it("bytes that are no JSON, in any type, are refused without being repeated", async () => {
		const types = ["application/json", "text/plain", "application/xml", "multipart/form-data", "a/b; charset=x", ""];
		const property = fc.asyncProperty(
			fc.string({ maxLength: 40 }),
			mark,
			fc.constantFrom(...types),
			async (junk, secret, type) => {
				const headers = type === "" ? {} : { "content-type": type };
				const payload = `{"to":"${secret}${junk}`;
				const authorization = `Bearer ${key}`;
				const answer = await api.app.inject({
					method: "POST",
					url: "/v1/messages",
					headers: { ...headers, authorization },
					payload,
				});
				assert.ok([400, 415].includes(answer.statusCode), String(answer.statusCode));
				clean(answer.body);
			},
		);
		await fc.assert(property, { numRuns: 60 });
		clean(api.logLines.join(""));
	});

	it("addresses, queries, headers and keys are never repeated or logged", async () => {
		const secret = marks[0] as string;
		const urls = [
			`/v1/messages?to=${secret}`,
			`/v1/messages?cursor=${secret}&limit=${secret}&state=${secret}`,
			`/v1/messages/${secret}`,
			`/v1/messages/${secret}/cancel`,
			`/v1/certificates/${secret}`,
			`/v1/certificates?about=${secret}`,
			`/v1/callbacks/${secret}/${secret}/receipts?msisdn=${secret}`,
			`/v1/callbacks/${secret}/${secret}/inbound?msisdn=${secret}`,
			`/v1/consents/${secret}`,
			`/v1/consents?cursor=${secret}`,
			`/v1/opt-outs/${secret}/lift`,
			`/v1/opt-outs?number=${secret}`,
			`/v1/holds/${secret}/release`,
			`/errors/${secret}`,
			`/${secret}?${secret}=${secret}#${secret}`,
			`/v1/messages/%zz${secret}`,
			`/v1/messages/${secret.repeat(20)}`,
			`/docs/${secret}`,
		];
		for (const url of urls) {
			for (const method of ["GET", "POST", "DELETE"] as const) {
				const headers = {
					authorization: `Bearer ${method === "GET" ? key : marks[2]}`,
					"x-request-id": secret,
					"idempotency-key": secret,
					prefer: `wait=${secret}`,
				};
				const answer = await api.app.inject({ method, url, headers });
				assert.notEqual(answer.statusCode, 500, url);
				clean(answer.body);
				clean(JSON.stringify(answer.headers));
			}
		}
		clean(api.logLines.join(""), [key]);
	});

	it("what is accepted leaves neither number nor text in a log line or a metric", async () => {
		const { json } = await api.post(key, {}, { "idempotency-key": number });
		await api.request(key, "GET", `/v1/messages/${json.id}`);
		const { text: metrics } = await api.request(key, "GET", "/metrics");
		clean(api.logLines.join("") + metrics, [number.slice(1), number.slice(3), text, "Termin", key]);
	});

	it("what is done to a person leaves their name in no answer that is kept for a repeat", async () => {
		const { tenantId } = await api.addTenant();
		const { token: admin } = await api.addPerson(tenantId, ["admin"]);
		const { personId: id } = await api.addPerson(tenantId, ["auditor"]);
		const name = Plaintext.text(JSON.stringify({ login: "marked@example.com", name: "Marke Beispiel" }));
		const sealedName = await api.personSeal.seal({ tenantId, personId: id, field: "name" }, name);
		await api.store.people.change(id, (person) => ({ ...person, sealedName }));
		const enrolledAt = new Date((await api.store.people.find(id))?.enrolledAt as number).toISOString();
		const steps: Record<string, object | undefined> = {
			roles: { roles: ["auditor", "admin"] },
			confirm: { enrolledAt },
			end: {},
		};
		for (const [step, body] of Object.entries(steps)) {
			const ask = () =>
				api.request(admin, "POST", `/v1/people/${id}/${step}`, body, { "idempotency-key": `person-${step}` });
			const first = await ask();
			assert.deepEqual([first.status, first.text.includes("marked@example.com")], [200, step !== "end"], first.text);
			const again = await ask();
			clean(again.text, ["marked@example.com", "Marke Beispiel"]);
		}
		const kept = await api.connection.collection("idempotencyKeys").find().toArray();
		assert.ok(kept.length >= 3);
		clean(JSON.stringify(kept) + api.logLines.join(""), ["marked@example.com", "Marke Beispiel"]);
	});

	it("what is recorded of a number, asked about it or written from it leaves it nowhere", async () => {
		const { tenantId } = await api.addTenant();
		const { key: compliance } = await api.addKey(tenantId, ["compliance"]);
		const post = (url: string, body: object) =>
			api.request(compliance, "POST", url, body, { "idempotency-key": `k-${url.replaceAll("/", "")}` });
		const at = "2026-01-01T00:00:00Z";
		const consent = { type: "express", purposes: ["marketing"], obtainedAt: at, wording: "w:1", evidence: "form-a" };
		const answers = [
			await post("/v1/consents", { number, ...consent }),
			await post("/v1/consents/search", { number }),
			await post("/v1/opt-outs", { number, scope: "marketing" }),
			await post("/v1/opt-outs/search", { number }),
			await post("/v1/holds", { scope: "subject", number, ground: "litigation" }),
			await post("/v1/opt-outs", { number: `${number}0000`, scope: "all" }),
			await post("/v1/consents", { number, ...consent, evidence: number }),
		];
		await api.callback(inboundOf("Please stop, Termin"), { kind: "inbound" });
		const stored = [];
		for (const name of ["subjectRecords", "idempotencyKeys"]) {
			stored.push(...(await api.connection.collection(name).find({}).toArray()));
		}
		const parts = [number.slice(1), number.slice(3), "Termin", compliance];
		clean(answers.map(({ text: answer }) => answer).join("") + api.logLines.join("") + JSON.stringify(stored), parts);
		const kept = stored.filter(({ answer }) => JSON.stringify(answer ?? "").includes("optedOut")).length;
		assert.equal(kept, 1, "the answer to a search is kept by nobody");
	});

	it("an empty, a null and an oversized body each get their problem", async () => {
		const send = (payload: string, type = "application/json") =>
			api.app.inject({
				method: "POST",
				url: "/v1/messages",
				headers: { authorization: `Bearer ${key}`, "content-type": type },
				payload,
			});
		for (const payload of [
			"",
			"null",
			"[]",
			'"x"',
			"1",
			'{"__proto__":{"to":1}}',
			'{"constructor":{"prototype":{}}}',
		]) {
			const answer = await send(payload);
			assert.deepEqual([answer.statusCode, answer.json().code], [400, "invalid_request"], payload);
		}
		const big = await send(JSON.stringify({ body: "x".repeat(70_000) }));
		assert.deepEqual([big.statusCode, big.json().code], [413, "body_too_large"]);
		assert.match(big.json().errors[0].detail, /\b64 KiB/);
		for (const type of ["application/x-www-form-urlencoded", "text/plain"]) {
			const other = await send("to=1", type);
			assert.deepEqual([other.statusCode, other.json().code], [415, "unsupported_media_type"], type);
			assert.match(other.json().errors[0].detail, /application\/json/);
		}
	});

	it("over a socket, broken HTTP gets a problem and no line of log", async () => {
		await api.app.listen({ host: "127.0.0.1", port: 0 });
		const { port } = api.app.server.address() as { port: number };
		const before = api.logLines.length;
		const speak = (bytes: string) =>
			new Promise<string>((resolve) => {
				let answer = "";
				const socket = connect(port, "127.0.0.1", () => socket.end(bytes));
				socket.on("data", (chunk) => {
					answer += chunk;
				});
				socket.on("close", () => resolve(answer));
				socket.on("error", () => undefined);
			});
		const secret = marks[0];
		const garbage = await speak(`${secret} ${secret}\r\n\r\n`);
		assert.match(garbage, /^HTTP\/1\.1 400 /);
		assert.match(garbage, /"code":"invalid_request"/);
		const huge = await speak(`GET / HTTP/1.1\r\nhost: x\r\nx: ${secret}${"y".repeat(20_000)}\r\n\r\n`);
		assert.match(huge, /^HTTP\/1\.1 431 /);
		const broken = await speak(
			`POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n${secret}`,
		);
		assert.match(broken, /^HTTP\/1\.1 400 /);
		const cut = await speak(
			`POST /v1/messages?to=${secret} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"to":"${secret}`,
		);
		for (const answer of [garbage, huge, broken, cut]) clean(answer);
		clean(api.logLines.slice(before).join(""), [key]);
	});
});
