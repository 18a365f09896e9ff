# proves: git clones a bare repository over dumb HTTP, with packed and loose objects, and fetches new commits
# needs: git python3
. "$HERE/lib.sh"
require git python3
export HOME=$TMP GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
export GIT_AUTHOR_NAME=Ann GIT_AUTHOR_EMAIL=ann@example.com
export GIT_COMMITTER_NAME=Ann GIT_COMMITTER_EMAIL=ann@example.com

commit() {
    echo "$1" >>work/file && git -C work add file && git -C work commit -q -m "$1" && git -C work push -q origin HEAD
    git -C "site/a project.git" update-server-info
}
mkdir site
git init -q --bare -b main "site/a project.git"
git init -q -b main work
git -C work remote add origin "$TMP/site/a project.git"
for number in 1 2 3; do commit "change $number"; done
git -C "site/a project.git" gc -q
commit "change 4"
git -C work push -q origin "main:topic/50%-done"
git -C "site/a project.git" update-server-info
serve site

git clone -q "$URL/a%20project.git" clone || fail "clone: $(cat access.log)"
diff work/file clone/file || fail "the files differ"
equal "$(git -C clone rev-parse 'origin/topic/50%-done')" "$(git -C work rev-parse main)" "the branch with a percent sign"

commit "change 5"
git -C clone pull -q || fail "pull: $(cat access.log)"
diff work/file clone/file || fail "the new commit is missing"
git -C clone fsck --strict 2>&1 | grep . && fail "git fsck reports errors"
exit 0
