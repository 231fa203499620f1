# A formula for a tap of Homebrew's. `make dist URL=…` fills in what is between at signs.
class Tuntapd < Formula
  desc "@DESCRIPTION@"
  homepage "@URL@"
  version "@VERSION@"
  license "@LICENSE@"

  depends_on :macos

  on_intel do
    url "@URL@/tuntapd-@VERSION@-x86_64.tar.gz"
    sha256 "@SHA256_X86_64@"
  end
  on_arm do
    url "@URL@/tuntapd-@VERSION@-arm64.tar.gz"
    sha256 "@SHA256_ARM64@"
  end

  def install
    # Nothing below libexec is changed: the runtimes keep the signature of Node.js, which the installer checks.
    libexec.install Dir["*"]
    (bin/"tuntapd-install").write <<~SH
      #!/bin/sh
      exec "#{libexec}/install" "$@"
    SH
  end

  def caveats
    <<~EOS
      Homebrew installs nothing as root, and tuntapd is a daemon of root's. Now, and after each upgrade:
        sudo tuntapd-install
      To read first what that does:
        tuntapd-install --plan
      Before `brew uninstall tuntapd`, which would leave the daemon as it is:
        sudo tuntapctl uninstall
    EOS
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/tuntapd-install --plan")
  end
end
