#!/usr/bin/env bash
# Run the tests marked `accounts` as an ordinary user, for whom permissions hold. Only root can: others are ordinary users.
# Where Python or the checkout lies in a folder that only root may enter, that folder is replaced, for these tests alone
# (in a mount namespace), by one that holds nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
ORDINARY=65534
PYTHON="$PWD/.venv/bin/python"

give_up() {
  echo "The tests marked accounts are not run as an ordinary user: $1." >&2
  exit 0
}

as_ordinary() { setpriv --reuid=$ORDINARY --regid=$ORDINARY --clear-groups env -i "$@"; }
reaches() { as_ordinary "$PYTHON" -c "import os; os.listdir('$PWD/tests')" 2>/dev/null; }

# Bind each folder to a place that can be reached, cover the closed folders on the way, and bind them back.
open_the_way() {
  local stage folder closed number=0
  stage=$(mktemp -d)
  local -a folders=("$@") covered=()
  for folder in "${folders[@]}"; do
    mkdir "$stage/$number" && mount --bind "$folder" "$stage/$number"
    closed=$folder
    while [ "$closed" != / ]; do
      if [ -n "$(find "$closed" -maxdepth 0 -not -perm -o=x)" ]; then covered+=("$closed"); fi
      closed=$(dirname "$closed")
    done
    number=$((number + 1))
  done
  for closed in $(printf '%s\n' "${covered[@]}" | sort -u); do  # outer folders first
    if [ -d "$closed" ]; then mount -t tmpfs -o mode=755 none "$closed"; fi
  done
  for number in "${!folders[@]}"; do
    mkdir -p "${folders[$number]}" && mount --bind "$stage/$number" "${folders[$number]}"
  done
}

[ "$(id -u)" = 0 ] || exit 0
command -v setpriv >/dev/null || give_up "there is no setpriv"
if [ -n "${IN_NAMESPACE:-}" ]; then
  open_the_way "$("$PYTHON" -c 'import sys; print(sys.base_prefix)')" "$PWD" "$(readlink -f .venv)"
fi
if ! reaches; then
  [ -z "${IN_NAMESPACE:-}" ] || give_up "that user may not read $PWD, or not run $PYTHON"
  unshare --mount true 2>/dev/null || give_up "that user may not enter the folders of $PWD or of Python, and unshare is not allowed"
  IN_NAMESPACE=1 exec unshare --mount "$PWD/scripts/test_as_ordinary_user.sh" "$@"
fi

home=$(mktemp -d /tmp/demiurge-XXXXXXXX)
trap 'rm -rf "$home"' EXIT
chown $ORDINARY:$ORDINARY "$home"
echo "The tests marked accounts, as an ordinary user:"
as_ordinary PATH="$PATH" HOME="$home" TMPDIR="$home" LANG="${LANG:-C.UTF-8}" CI="${CI:-}" DEMIURGE_KILLS="${DEMIURGE_KILLS:-1}" \
  PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY="$home/hypothesis" WANDB_MODE=disabled OMP_NUM_THREADS=1 \
  "$PYTHON" -m pytest -p no:cacheprovider -m accounts -n logical --maxprocesses 4 --dist worksteal "$@"
