// The witnesses outside the database: Vault's, by check-and-set and by the signer only, and the file's, whole or not at all.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createFileWitness } from "../../../adapters/fileWitness.ts";
import { createSigner } from "../../../adapters/vault/signer.ts";
import { createVaultWitness } from "../../../adapters/vault/witness.ts";
import { openCheckpoint, signCheckpoint } from "../../../audit/checkpoint.ts";
import { watchSyncs } from "../../harness/watchSyncs.ts";
import { login, statusOf } from "./helper.ts";

describe("Vault as a witness", () => {
	let signer: Awaited<ReturnType<typeof login>>;
	before(async () => {
		signer = await login("signer");
	});

	it("keeps what it was shown last, for whoever may check the log", async () => {
		const witness = createVaultWitness({ vault: signer });
		await witness.read();
		await witness.write("first");
		await witness.write("second");
		for (const role of ["api", "admin"] as const) {
			assert.equal(await createVaultWitness({ vault: await login(role) }).read(), "second");
		}
	});

	it("keeps what it saw of another log for good", async () => {
		const witness = createVaultWitness({ vault: signer });
		for (const note of ["log\n1", "log\n2", "log/2\n1", "log/2\n2"]) {
			await witness.read();
			assert.equal(await witness.write(note), true);
		}
		const seen = createVaultWitness({ vault: await login("admin") });
		assert.deepEqual([await seen.read(), (await seen.before()).at(-1)], ["log/2\n2", "log\n2"]);
	});

	it("takes nothing from who did not see the last one, of two that write at once", async () => {
		const [one, other] = [createVaultWitness({ vault: signer }), createVaultWitness({ vault: signer })];
		await Promise.all([one.read(), other.read()]);
		assert.equal(await one.write("one"), true);
		assert.equal(await other.write("other"), false);
		assert.equal(await one.read(), "one");
	});

	it("takes nothing from any role but the signer, which can't take it away either", async () => {
		for (const role of ["api", "admin", "sender", "eraser", "rewrapper"] as const) {
			const vault = await login(role);
			assert.equal(await statusOf(() => vault.write("kv/data/evidence/checkpoint", { data: { note: "x" } })), 403);
		}
		for (const path of ["kv/data/evidence/checkpoint", "kv/metadata/evidence/checkpoint"]) {
			assert.equal(await statusOf(() => signer.remove(path)), 403);
		}
	});

	it("has a key of its own for checkpoints, which signs what the public half verifies", async () => {
		const keys = createSigner({ vault: signer, clock: Date.now, key: "evidence" });
		const checkpoint = { origin: "lethe.test/evidence", size: 1, root: Buffer.alloc(32, 3) };
		const note = await signCheckpoint(checkpoint, keys.sign);
		assert.deepEqual(openCheckpoint(note, (await keys.publicJwks()).keys), checkpoint);
		const certificates = await createSigner({ vault: signer, clock: Date.now }).publicJwks();
		assert.equal(openCheckpoint(note, certificates.keys), undefined);
	});
});

describe("a file as a witness", () => {
	const folder = mkdtempSync(join(tmpdir(), "lethe-witness-"));
	after(() => rmSync(folder, { recursive: true, force: true }));

	it("has nothing before the first checkpoint, then the last one, readable by its owner only", async () => {
		const path = join(folder, "evidence", "checkpoint");
		const witness = createFileWitness(path);
		assert.equal(await witness.read(), undefined);
		for (const note of ["log\nfirst, and longer", "log\nsecond"]) await witness.write(note);
		assert.equal(await createFileWitness(path).read(), "log\nsecond");
		assert.deepEqual([readFileSync(path, "utf8"), statSync(path).mode & 0o777], ["log\nsecond", 0o600]);
		assert.deepEqual(readdirSync(join(folder, "evidence")), ["checkpoint"]);
	});

	it("keeps what it saw of another log for good, beside it", async () => {
		const path = join(folder, "line", "checkpoint");
		const witness = createFileWitness(path);
		for (const note of ["log\n1", "log\n2", "log/2\n1", "log/2\n2", "log/3\n1"]) await witness.write(note);
		assert.deepEqual(
			[await witness.read(), await createFileWitness(path).before()],
			["log/3\n1", ["log\n2", "log/2\n2"]],
		);
	});

	it("is on the disk when it answers, by each of its names", async (t) => {
		const disk = await watchSyncs(t);
		const path = join(folder, "deep", "down", "checkpoint");
		const witness = createFileWitness(path);
		await witness.write("log\n1");
		for (const at of [path, join(path, ".."), join(folder, "deep"), folder]) assert.ok(disk.isSynced(at), at);
		disk.forget();
		await witness.write("log/2\n1");
		assert.ok(disk.isSynced(path) && disk.isSynced(join(path, "..")));
	});

	it("that finds the disk full keeps what it had, and nothing beside it", async (t) => {
		const path = join(folder, "full", "checkpoint");
		const witness = createFileWitness(path);
		await witness.write("log\n1");
		(await watchSyncs(t)).fail();
		await assert.rejects(witness.write("log\n2"), { code: "store_unavailable" });
		assert.deepEqual([await witness.read(), readdirSync(join(folder, "full"))], ["log\n1", ["checkpoint"]]);
	});

	it("that can't be read or written is told, never taken for one that has nothing", async () => {
		writeFileSync(join(folder, "file"), "");
		const witness = createFileWitness(join(folder, "file", "checkpoint"));
		await assert.rejects(witness.read(), { code: "store_unavailable" });
		await assert.rejects(witness.write("note"), { code: "store_unavailable" });
	});
});
