// What a carrier told on a connection of ours reaches an API that lets in only who proves themselves.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { createHandOvers } from "../../../adapters/carriers/handOver.ts";
import { localCertificate } from "../../../stack/localCertificate.ts";

it("is handed over by our certificate where the API asks for one, and counts as not taken without it", async (test) => {
	const dir = mkdtempSync(join(tmpdir(), "lethe-hand-over-"));
	const { authorityFile, certificateFile, keyFile } = await localCertificate(dir);
	const [ca = "", cert = "", key = ""] = [authorityFile, certificateFile, keyFile].map((file) =>
		readFileSync(file, "utf8"),
	);
	const strict = { ca, cert, key, requestCert: true, rejectUnauthorized: true };
	const api = createServer(strict, (_, response) => void response.end()).listen(0, "127.0.0.1");
	await once(api, "listening");
	test.after(() => {
		api.close();
		rmSync(dir, { recursive: true });
	});
	const url = `https://127.0.0.1:${(api.address() as AddressInfo).port}`;
	for (const [tls, isTaken] of [
		[{ ca, cert, key }, true],
		[{ ca }, false],
	] as const) {
		const handOvers = createHandOvers({ url, tls });
		assert.equal(await handOvers.to("smpp", "q")({ headers: {}, body: "{}" }), isTaken);
		await handOvers.close();
	}
});
