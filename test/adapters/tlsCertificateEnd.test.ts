// The end of a certificate is its own, and what holds none says so.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { tlsCertificateEnd } from "../../adapters/tlsCertificateEnd.ts";
import { localCertificate } from "../../stack/localCertificate.ts";

const dir = mkdtempSync(join(tmpdir(), "lethe-tls-"));
after(() => rmSync(dir, { recursive: true }));

it("the server's own certificate counts, not that of the authority behind it", async () => {
	const { certificateFile, authorityFile } = await localCertificate(dir);
	const [own, authority] = [tlsCertificateEnd(certificateFile), tlsCertificateEnd(authorityFile)];
	assert.ok(own > Date.now() && authority > own);
	const chain = join(dir, "chain.pem");
	writeFileSync(chain, [certificateFile, authorityFile].map((file) => readFileSync(file, "utf8")).join(""));
	assert.equal(tlsCertificateEnd(chain), own);
	writeFileSync(chain, "no certificate");
	assert.throws(() => tlsCertificateEnd(chain));
});
