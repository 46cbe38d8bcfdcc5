// The listener: TLS 1.2 and 1.3 by suites with forward secrecy only, a certificate that changes without a restart, and
// plain HTTP nowhere but on loopback.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { connect as connectPlain, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { type ConnectionOptions, connect } from "node:tls";
import { clientCertificate } from "../../api/authenticators/clientCertificate.ts";
import { createInstance, type Instance } from "../../api/instance.ts";
import { ListenError, listen } from "../../api/listen.ts";
import { type LocalCertificate, localCertificate } from "../../stack/localCertificate.ts";
import { until } from "../harness/until.ts";

const lines: string[] = [];
const log = new Proxy({} as never, {
	get: (_, level) => (line: object) => lines.push(`${String(level)} ${JSON.stringify(line)}`),
});

describe("the listener", () => {
	const dir = mkdtempSync(join(tmpdir(), "lethe-tls-"));
	let files: LocalCertificate;
	let ca: string;
	let app: Instance;
	let url: string;
	let port: number;
	const settings = (more: object = {}) => ({
		host: "127.0.0.1",
		port: 0,
		plainAnywhere: false,
		connectionsMax: 64,
		addressConnectionsMax: 64,
		trustedProxies: [],
		lookEveryMs: 20,
		tls: {
			host: "127.0.0.1",
			port: 0,
			certificateFile: join(dir, "served.pem"),
			keyFile: join(dir, "served.key"),
			clientAuthorityFile: files.authorityFile,
			clientCertificates: "optional" as const,
			...more,
		},
	});
	const build = () => {
		const built = createInstance({
			log,
			ids: { random: () => "req_x", derive: () => "x" },
			publicUrl: "https://lethe.example",
			trustedProxies: [],
		});
		built.get("/peer", async (asked) => ({ protocol: asked.protocol, peer: clientCertificate(asked.raw) ?? null }));
		return built;
	};
	const serve = (from: LocalCertificate) => {
		copyFileSync(from.keyFile, join(dir, "served.key"));
		copyFileSync(from.certificateFile, join(dir, "served.pem"));
	};
	before(async () => {
		files = await localCertificate(join(dir, "a"));
		ca = readFileSync(files.authorityFile, "utf8");
		serve(files);
		app = build();
		const heard = await listen(app, settings(), { log });
		url = heard.url;
		port = Number(new URL(heard.tlsUrl as string).port);
	});
	after(async () => {
		await app.close();
		rmSync(dir, { recursive: true });
	});

	async function handshake(options: ConnectionOptions): Promise<{ protocol: string | null; suite: string } | string> {
		const socket = connect({ host: "127.0.0.1", port, ca, servername: "localhost", ...options });
		try {
			await once(socket, "secureConnect");
			return { protocol: socket.getProtocol(), suite: socket.getCipher().name };
		} catch (error) {
			return (error as NodeJS.ErrnoException).code ?? "failed";
		} finally {
			socket.destroy();
		}
	}
	async function get(options: object = {}) {
		const asked = request({
			host: "127.0.0.1",
			port,
			path: "/peer",
			ca,
			servername: "localhost",
			agent: false,
			...options,
		});
		asked.end();
		const [answer] = await once(asked, "response");
		return JSON.parse(await text(answer));
	}

	it("speaks 1.3 and 1.2, and nothing older, whatever a caller is ready for", async () => {
		assert.equal(((await handshake({})) as { protocol: string }).protocol, "TLSv1.3");
		assert.equal(((await handshake({ maxVersion: "TLSv1.2" })) as { protocol: string }).protocol, "TLSv1.2");
		for (const maxVersion of ["TLSv1.1", "TLSv1"] as const) {
			const old = { minVersion: "TLSv1", maxVersion, ciphers: "ALL:@SECLEVEL=0" } as const;
			assert.equal(typeof (await handshake(old)), "string", maxVersion);
		}
	});

	it("takes of TLS 1.2 only AEAD suites with forward secrecy", async () => {
		const taken: string[] = [];
		for (const suite of execFileSync("openssl", ["ciphers", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"])
			.toString()
			.trim()
			.split(":")) {
			if (suite.startsWith("TLS_")) continue;
			const result = await handshake({ maxVersion: "TLSv1.2", ciphers: `${suite}:@SECLEVEL=0` }).catch(() => "unknown");
			if (typeof result === "object") taken.push(result.suite);
		}
		assert.ok(taken.length >= 3);
		for (const suite of taken) assert.match(suite, /^ECDHE-ECDSA-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)$/);
	});

	it("answers the same as by plain HTTP, and tells a client certificate by its thumbprint", async () => {
		assert.deepEqual(await (await fetch(`${url}/peer`)).json(), { protocol: "http", peer: null });
		assert.deepEqual(await get(), { protocol: "https", peer: null });
		const client = { cert: readFileSync(files.certificateFile), key: readFileSync(files.keyFile) };
		const thumbprint = createHash("sha256").update(new X509Certificate(client.cert).raw).digest("base64url");
		assert.deepEqual((await get(client)).peer, { thumbprint, isAuthorized: true });
		const stranger = await localCertificate(join(dir, "unknown"));
		const other = { cert: readFileSync(stranger.certificateFile), key: readFileSync(stranger.keyFile) };
		assert.equal((await get(other)).peer.isAuthorized, false);
		assert.equal((await get({ ...other, maxVersion: "TLSv1.2" })).peer.isAuthorized, false);
	});

	it("knows no client certificate where no authority was named, whichever authority signed it", async (test) => {
		const own = build();
		const { tlsUrl } = await listen(own, settings({ clientAuthorityFile: undefined }), { log });
		test.after(() => own.close());
		const client = { cert: readFileSync(files.certificateFile), key: readFileSync(files.keyFile) };
		const { peer } = await get({ port: Number(new URL(tlsUrl as string).port), ...client });
		assert.equal(peer.isAuthorized, false);
	});

	it("turns away who has no certificate that it knows, where one is required", async () => {
		const strict = build();
		const heard = await listen(strict, settings({ clientCertificates: "required" }), { log });
		const to = { port: Number(new URL(heard.tlsUrl as string).port) };
		await assert.rejects(get(to));
		const client = { cert: readFileSync(files.certificateFile), key: readFileSync(files.keyFile) };
		assert.equal((await get({ ...to, ...client })).protocol, "https");
		const stranger = await localCertificate(join(dir, "stranger"));
		const other = { cert: readFileSync(stranger.certificateFile), key: readFileSync(stranger.keyFile) };
		await assert.rejects(get({ ...to, ...other }));
		await strict.close();
	});

	it("holds no more connections of one address than its share, by both listeners together; those of a trusted proxy all", async (test) => {
		const addressConnectionsMax = 3;
		const hear = async (trustedProxies: string[]) => {
			const own = build();
			const heard = await listen(own, { ...settings(), addressConnectionsMax, trustedProxies }, { log });
			const silent: Socket[] = [];
			/** Opens a connection and says nothing on it. */
			const open = async (to: string | undefined) => {
				const socket = connectPlain(Number(new URL(to ?? "").port), "127.0.0.1");
				silent.push(socket.on("error", () => undefined));
				await once(socket, "connect");
				return socket;
			};
			const answers = () =>
				fetch(`${heard.url}/peer`, { headers: { connection: "close" } }).then(
					({ status }) => status === 200,
					() => false,
				);
			test.after(async () => {
				for (const socket of silent) socket.destroy();
				await own.close();
			});
			return { ...heard, open, answers };
		};
		const strict = await hear([]);
		const first = await strict.open(strict.url);
		await strict.open(strict.tlsUrl);
		assert.equal(await strict.answers(), true);
		await strict.open(strict.tlsUrl);
		assert.equal(await strict.answers(), false);
		first.destroy();
		await until(strict.answers);
		const proxied = await hear(["10.0.0.0/8", "127.0.0.1"]);
		for (let count = 0; count <= addressConnectionsMax; count++) await proxied.open(proxied.url);
		assert.equal(await proxied.answers(), true);
	});

	it("ends who is slow about a second after their time, by either listener", async (test) => {
		const own = build();
		own.server.headersTimeout = 300;
		const heard = await listen(own, settings(), { log });
		test.after(() => own.close());
		const began = performance.now();
		const refused = [heard.url, heard.tlsUrl].map(async (to) => {
			const where = { host: "127.0.0.1", port: Number(new URL(to ?? "").port) };
			const socket = to === heard.url ? connectPlain(where) : connect({ ...where, ca, servername: "localhost" });
			socket.write("GET /peer HTTP/1.1\r\nhost: x\r\n");
			return text(socket);
		});
		for (const answer of await Promise.all(refused)) assert.match(answer, /^HTTP\/1.1 408 .*"request_timeout"/s);
		assert.ok(performance.now() - began < 10_000);
	});

	it("takes a renewed certificate up while it runs, and keeps the old one when the new does not do", async () => {
		const socket = connect({ host: "127.0.0.1", port, ca, servername: "localhost" });
		await once(socket, "secureConnect");
		writeFileSync(join(dir, "served.pem"), "not a certificate");
		const told = () => lines.filter((line) => line.includes("certificate_unusable")).length;
		await until(() => told() > 0);
		assert.equal(typeof (await handshake({})), "object");
		// A link to itself can't even be looked at.
		const before = told();
		rmSync(join(dir, "served.pem"));
		symlinkSync("served.pem", join(dir, "served.pem"));
		await until(() => told() > before);
		assert.equal(typeof (await handshake({})), "object");
		rmSync(join(dir, "served.pem"));
		const renewed = await localCertificate(join(dir, "b"));
		serve(renewed);
		const renewedCa = readFileSync(renewed.authorityFile, "utf8");
		await until(async () => typeof (await handshake({ ca: renewedCa })) === "object");
		assert.equal(typeof (await handshake({ ca })), "string");
		assert.equal(socket.readyState, "open");
		socket.destroy();
	});

	it("is not heard by plain HTTP beyond loopback unless asked, nor with a certificate that is none", async () => {
		const open = build();
		await assert.rejects(listen(open, { ...settings(), host: "0.0.0.0" }, { log }), /LETHE_PLAIN_HTTP=anywhere/);
		writeFileSync(join(dir, "bad.pem"), "x");
		const bad = settings({ certificateFile: join(dir, "bad.pem") });
		await assert.rejects(listen(open, bad, { log }), /LETHE_TLS_CERTIFICATE_FILE: .*Mount it, or correct it\./);
		const { keyFile: another } = await localCertificate(join(dir, "another"));
		for (const keyFile of [join(dir, "bad.pem"), another, join(dir, "none")]) {
			await assert.rejects(listen(open, settings({ keyFile }), { log }), (error) => {
				assert.ok(error instanceof ListenError, keyFile);
				assert.match(error.message, /^LETHE_TLS_KEY_FILE: /);
				assert.doesNotMatch(error.message, /no certificate/);
				return true;
			});
		}
		await open.close();
	});

	it("names the setting and the mend where a port is another's, by either listener", async () => {
		const taken = Number(new URL(url).port);
		for (const [setting, options] of [
			["LETHE_API_PORT", { ...settings(), port: taken }],
			["LETHE_TLS_PORT", settings({ port: taken })],
		] as const) {
			const second = build();
			await assert.rejects(listen(second, options, { log }), (error) => {
				assert.ok(error instanceof ListenError, setting);
				assert.match(error.message, new RegExp(`^${setting}: ${taken} can't be listened on at 127.0.0.1 .EADDRINUSE.`));
				return true;
			});
			await second.close();
		}
	});

	it("blames no port for what else keeps the API from starting", async () => {
		const failing = build();
		failing.addHook("onReady", async () => {
			throw new Error("something is missing");
		});
		await assert.rejects(listen(failing, settings(), { log }), { message: "something is missing" });
		await failing.close();
	});

	it("has a local authority whose files are its owner's only, kept while good and renewed in time", async () => {
		const [again, later] = [await localCertificate(join(dir, "a")), Date.now() + 70 * 24 * 3600_000];
		assert.deepEqual(again, files);
		const before = readFileSync(files.certificateFile, "utf8");
		assert.equal(readFileSync(files.authorityFile, "utf8"), ca);
		await localCertificate(join(dir, "a"), later);
		assert.notEqual(readFileSync(files.certificateFile, "utf8"), before);
		assert.equal(readFileSync(files.authorityFile, "utf8"), ca, "who trusts it goes on trusting it");
		for (const file of Object.values(files)) assert.equal(statSync(file).mode & 0o777, 0o600, file);
	});
});
