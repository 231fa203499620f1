/** A shim in docker-tuntap-osx's layout: bash, a loop over the arguments with grep and sed, the tap set in between. */
export const dockerTuntapOsxShim = `#!/bin/bash

set -o nounset
set -o errexit

tapintf=tap1
last=false
ethintf=1
for ((i = 1; i < $#; i++)); do
  if echo "\${@:$i:1}" | grep -qE "^2:[0-9]+"; then last=$i; fi
done
set -- \\
	"\${@:1:$last}" \\
	"-s" "2:$ethintf,virtio-tap,$tapintf" \\
	"\${@:$(($last + 1))}"

# Execute real binary with modified argument list
exec $0.original "$@"
`;
