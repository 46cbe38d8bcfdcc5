#!/usr/bin/env node
// `npx lethe`: runs the command line under the pinned Node.

import { boot } from "../stack/boot.mjs";

await boot("cli/lethe.ts", process.argv.slice(2));
