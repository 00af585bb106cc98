"""What the dnf engine lets dnf do: solve, and after "go" on stdin install.

One process does both, so that metadata is loaded once and nothing can change
between. Its settings are JSON, the first line on stdin; it answers with one JSON
object a line on stdout. What rpm says and scriptlets print goes to stderr.
"""
import json
import os
import sqlite3
import sys

try:
    import dnf
    import dnf.callback
    import dnf.exceptions
    import dnf.yum.rpmtrans
    import hawkey
    import rpm
except ImportError as e:
    print(json.dumps({"event": "error", "kind": "tool", "message": str(e)}))
    sys.exit(1)

opt = json.loads(sys.stdin.readline())
answer = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # whatever prints to stdout in here or below must not mix with answers


def tell(event, **fields):
    print(json.dumps(dict(fields, event=event)), file=answer)


def fail(kind, message, **fields):
    tell("error", kind=kind, message=str(message).strip(), **fields)
    sys.exit(1)


class Display(dnf.yum.rpmtrans.TransactionDisplay):
    """Tells progress and failing scriptlets, for which dnf itself returns success."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def progress(self, package, action, ti_done, ti_total, ts_done, ts_total):
        if action == dnf.callback.PKG_INSTALL and ts_done > self.seen:
            self.seen = ts_done
            tell("progress", what="install %s" % package, done=ts_done, total=ts_total)

    def scriptout(self, msgs):
        if msgs:
            sys.stderr.write(msgs if isinstance(msgs, str) else msgs.decode("utf-8", "replace"))
            sys.stderr.flush()

    def error(self, message):
        print(message, file=sys.stderr, flush=True)


class Download(dnf.callback.DownloadProgress):
    def start(self, total_files, total_size, total_drpms=0):
        self.total, self.done, self.told, self.parts = total_size or 1, 0, 0, {}

    def progress(self, payload, done):
        self.done += done - self.parts.get(str(payload), 0)
        self.parts[str(payload)] = done
        if self.done - self.told > self.total / 50:
            self.told = self.done
            tell("progress", what="download", done=int(self.done), total=int(self.total))


def configure(base):
    conf = base.conf
    conf.installroot = opt["root"]
    conf.cachedir = opt["cache"]
    conf.logdir = conf.persistdir = opt["state"]
    conf.reposdir = opt["reposdirs"]
    conf.pluginpath = []
    conf.assumeyes = conf.best = conf.keepcache = True
    conf.install_weak_deps = opt["weak"]
    conf.tsflags = [] if opt["docs"] else ["nodocs"]
    conf.excludepkgs = opt["exclude"]
    conf.clean_requirements_on_remove = False
    conf.substitutions.update(opt["vars"])
    conf.substitutions["releasever"] = opt["releasever"]
    conf.substitutions["basearch"] = opt["arch"]
    # A package of the overrides hides every other of its name, as cosa has it.
    if opt["overrides"]:
        base.repos.add_new_repo("overrides", conf, baseurl=["file://" + opt["overrides"]], priority=1)


def enable(base):
    base.read_all_repos()
    known = {r.id for r in base.repos.all()}
    for repo_id in opt["repos"]:
        if repo_id not in known:
            fail("no-repo", "Unknown rpm-md repository: %s" % repo_id, name=repo_id)
    for repo in base.repos.all():
        wanted = repo.id == "overrides" or repo.id in opt["repos"] or not opt["repos"]
        (repo.enable if wanted else repo.disable)()
        repo.skip_if_unavailable = False
        repo.metadata_expire = 0  # ask each time; unchanged metadata costs one small request
    if not list(base.repos.iter_enabled()):
        fail("no-repo", "no rpm-md repository is defined", name="")


def lock(base):
    """Hides every version of a locked package but the locked one."""
    for name, want in opt["locks"].items():
        query = base.sack.query().filterm(name=name)
        if any(p.reponame == "overrides" for p in query):
            continue
        for p in query:
            evr = "%s:%s-%s" % (p.epoch, p.version, p.release)
            full = {evr, p.evr, "%s.%s" % (evr, p.arch), "%s.%s" % (p.evr, p.arch)}
            digest = "%s:%s" % p.returnIdSum()
            if want["evra"] not in full or want["digest"] not in ("", digest):
                base.sack.add_excludes([p])


def choose(base):
    missing = []
    wanted = [(p, None) for p in opt["packages"]] + [(p, r) for r, p in opt["repo_packages"]]
    for spec, repo in wanted:
        try:
            base.install(spec, reponame=repo, strict=True)
        except dnf.exceptions.MarkingError:
            missing.append(spec)
    if missing:
        fail("missing", "Packages not found: %s" % ", ".join(sorted(missing)), names=sorted(missing))
    base.resolve()


def solved(base):
    packages = []
    for p in base.transaction.install_set:
        kind, digest = p.returnIdSum()
        packages.append({
            "name": p.name, "epoch": str(p.epoch), "version": p.version, "release": p.release, "arch": p.arch,
            "checksum": "%s:%s" % (kind, digest), "sourcerpm": p.sourcerpm or "", "built": p.buildtime, "repo": p.reponame,
        })
    packages.sort(key=lambda p: (p["name"], p["arch"]))
    repos = [{"id": r.id, "generated": r._repo.getMaxTimestamp()} for r in base.repos.iter_enabled()]
    tell("solved", packages=packages, repos=sorted(repos, key=lambda r: r["id"]))


def verify(base, packages):
    """dnf's API, unlike its command, checks no signature by itself."""
    for p in packages:
        result, message = base.package_signature_check(p)
        if result == 1:
            base.package_import_key(p)
            result, message = base.package_signature_check(p)
        if result:
            fail("signature", message, name=p.name)


def settle():
    """Makes one file of the database: rpm leaves part of it in a journal, and
    pages in an order of their own. The tree is read-only later on."""
    db = sqlite3.connect(os.path.join(opt["root"], opt["rpmdb"], "rpmdb.sqlite"), isolation_level=None)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute("PRAGMA journal_mode=DELETE")
    db.execute("VACUUM")
    db.close()


def main():
    base = dnf.Base()
    try:
        configure(base)
        enable(base)
        base.fill_sack(load_system_repo=False)
        lock(base)
        choose(base)
        solved(base)
        if sys.stdin.readline().strip() != "go":
            return
        packages = list(base.transaction.install_set)
        # Times of installation are in the database; rpm takes them from here.
        os.environ["SOURCE_DATE_EPOCH"] = str(max(p.buildtime for p in packages))
        base.download_packages(packages, Download())
        verify(base, packages)
        base.do_transaction(Display())
        base.close()
        settle()
        tell("done")
    except dnf.exceptions.DepsolveError as e:
        fail("depsolve", e)
    except dnf.exceptions.ConfigError as e:
        fail("config", e)
    except (dnf.exceptions.RepoError, dnf.exceptions.DownloadError) as e:
        fail("network", e)
    except (dnf.exceptions.Error, hawkey.Exception, rpm.error, OSError) as e:
        fail("transaction", e)


main()
