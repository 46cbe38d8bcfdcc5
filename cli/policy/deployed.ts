// The packs of a deployment as it decides by them: what its release ships, and what was published there.

import { readPack, readPacks } from "../../policies/load.ts";
import { indexPacks, type LoadedPack, type PackSet } from "../../policies/packSet.ts";
import { Refusal } from "../run.ts";
import { call, type TargetOptions } from "./call.ts";
import type { PolicyList } from "./list.ts";

/** @throws Refusal when the API refuses, or what it says can't be used here */
export async function readDeployed(options: TargetOptions): Promise<PackSet> {
	const { items } = await call<PolicyList>(options, "/v1/policies");
	const own = new Map(readPacks().map((pack) => [pack.sha256, pack]));
	const packs: LoadedPack[] = [];
	for (const item of items) {
		const { file, ...rest } = own.get(item.sha256) ?? (await readOne(options, item));
		// A published version begins when its publication said so, whatever its text says.
		packs.push({ ...rest, file: { ...file, effectiveFrom: item.effectiveFrom } });
	}
	return usable(() => indexPacks(packs));
}

async function readOne(options: TargetOptions, { pack, version, sha256 }: PolicyList["items"][number]) {
	const path = `/v1/policies/${encodeURIComponent(pack)}/${encodeURIComponent(version)}`;
	const text = await call<string>(options, path);
	const read = usable(() => readPack(text, `${pack}/${version}.yaml`));
	if (read.sha256 === sha256) return read;
	throw new Refusal(`${pack} ${version} was changed while it was read: try again.`);
}

// It may run another release, whose packs this one does not know how to read.
function usable<Result>(read: () => Result): Result {
	try {
		return read();
	} catch (error) {
		throw new Refusal(`${(error as Error).message} Use the release that the deployment runs.`);
	}
}
