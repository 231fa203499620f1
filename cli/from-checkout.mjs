#!/usr/bin/env node
// What `npx --no-install tuntapctl` runs in a checkout that is built (`make build`), before anything is installed.
import '../build/product/lib/tuntapctl.mjs';
