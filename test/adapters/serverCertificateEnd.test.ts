// The end of a server's certificate is read by a handshake, over or not, and what brings none about fails in time.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer as createPlainServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { createServer } from "node:tls";
import { serverCertificateEnd } from "../../adapters/serverCertificateEnd.ts";
import { tlsCertificateEnd } from "../../adapters/tlsCertificateEnd.ts";
import { limits } from "../../domain/limits.ts";
import { localCertificate } from "../../stack/localCertificate.ts";

const dir = mkdtempSync(join(tmpdir(), "lethe-server-tls-"));
const servers: Server[] = [];
after(() => {
	for (const server of servers) server.close();
	rmSync(dir, { recursive: true });
});

async function addressOf(server: Server) {
	servers.push(server.listen(0, "127.0.0.1"));
	await once(server, "listening");
	return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

const day = 24 * 3600_000;
async function meet(name: string, madeAt: number, asks = {}) {
	const { certificateFile, keyFile } = await localCertificate(join(dir, name), madeAt);
	const [cert, key] = [certificateFile, keyFile].map((file) => readFileSync(file));
	return { endsAt: tlsCertificateEnd(certificateFile), ...(await addressOf(createServer({ cert, key, ...asks }))) };
}

it("is the server's own, though it is over and nobody here knows its authority; of several addresses the first end", async () => {
	const now = Date.now();
	const [good, over] = [await meet("good", now), await meet("over", now - 200 * day)];
	assert.ok(over.endsAt < now && now < good.endsAt);
	assert.equal(await serverCertificateEnd([good], {}, Date.now()), good.endsAt);
	assert.equal(await serverCertificateEnd([good, over], {}, Date.now()), over.endsAt);
	assert.equal(await serverCertificateEnd([{ host: "127.0.0.1", port: 1 }, good], {}, Date.now()), good.endsAt);
});

it("is told by a server that lets in only who proves itself", async () => {
	const strict = await meet("strict", Date.now(), { requestCert: true, rejectUnauthorized: true });
	assert.equal(await serverCertificateEnd([strict], {}, Date.now()), strict.endsAt);
});

it("is that of ours for the server where it ends before the server's", async () => {
	const now = Date.now();
	const strict = await meet("ours", now, { requestCert: true, rejectUnauthorized: false });
	const { certificateFile, keyFile } = await localCertificate(join(dir, "client"), now - 60 * day);
	const [cert, key] = [certificateFile, keyFile].map((file) => readFileSync(file, "utf8")) as [string, string];
	assert.ok(tlsCertificateEnd(certificateFile) < strict.endsAt);
	assert.equal(await serverCertificateEnd([strict], { cert, key }, now), tlsCertificateEnd(certificateFile));
});

it("is that of ours once it is over, though nobody answers who meets us by it, and of a chain the first that ends", async () => {
	const [now, nobody] = [Date.now(), { host: "127.0.0.1", port: 1 }];
	const read = async (name: string, madeAt: number) => {
		const { certificateFile } = await localCertificate(join(dir, name), madeAt);
		return { cert: readFileSync(certificateFile, "utf8"), endsAt: tlsCertificateEnd(certificateFile) };
	};
	const [leaf, authority] = [await read("leaf", now), await read("authority", now - 200 * day)];
	const chain = { cert: `${leaf.cert}\n${authority.cert}` };
	assert.equal(await serverCertificateEnd([nobody], chain, now), authority.endsAt);
	assert.equal(await serverCertificateEnd([await meet("any", now)], chain, now), authority.endsAt);
	await assert.rejects(serverCertificateEnd([nobody], leaf, now), /no handshake/);
});

it("fails in time where nobody answers, or no TLS is spoken", async () => {
	const silent = await addressOf(createPlainServer());
	const ending = await addressOf(createPlainServer((socket) => socket.end()));
	const from = Date.now();
	for (const address of [silent, ending, { host: "127.0.0.1", port: 1 }]) {
		await assert.rejects(serverCertificateEnd([address], {}, Date.now()));
	}
	assert.ok(Date.now() - from < 2 * limits.tlsHandshakeMsMax);
});
