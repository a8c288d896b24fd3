#!/usr/bin/env bash
# A real WordPress on loopback, of its own and gone afterwards.
#   wordpress.sh               starts it, prints where it is, and stops it at a signal
#   wordpress.sh COMMAND ...   starts it, runs the command with the same lines in its environment, and stops it
# Everything lives in one scratch directory: a MariaDB that only listens on a unix socket there, and PHP's own web
# server. No server of the system is started, asked or changed.
set -euo pipefail

# Programs only: the packages with servers that start by themselves (mariadb-server, and the Apache that wordpress
# depends on) are not installed. WordPress is PHP files; they are fetched with apt and unpacked into the scratch.
PROGRAMS=(php-cli php-mysql mariadb-server-core mariadb-client-core)
FILES=(wordpress wordpress-theme-twentytwentythree)
PACKAGES=${EARFUL_WORDPRESS_PACKAGES:-$HOME/.cache/earful/tools/wordpress}
WAIT_S=60

say() { echo "wordpress.sh: $*" >&2; }
fail() {
    say "$*"
    for log in "$scratch"/*.log; do
        [ ! -s "$log" ] || { say "the end of ${log##*/}:"; tail -n 15 "$log" >&2; }
    done
    exit 1
}

stop() {
    trap '' INT TERM
    local id
    for id in "${started[@]}"; do
        kill "$id" 2>/dev/null && wait "$id" 2>/dev/null || true
    done
    rm -rf "$scratch"
}

install_programs() {
    local missing=() package root=()
    for package in "${PROGRAMS[@]}"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || root=(sudo)
    say "installing with apt: ${missing[*]}"
    { "${root[@]}" apt-get update -qq && DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq \
        --no-install-recommends "${missing[@]}"; } >"$scratch/apt.log" 2>&1 ||
        fail "the packages cannot be had; install them by hand: ${missing[*]}"
}

unpack_wordpress() {
    local package file
    mkdir -p "$PACKAGES"
    for package in "${FILES[@]}"; do
        if ! compgen -G "$PACKAGES/${package}_*.deb" >/dev/null; then
            say "fetching with apt: $package"
            (cd "$PACKAGES" && apt-get download -qq "$package") >"$scratch/apt.log" 2>&1 ||
                fail "the package $package cannot be had; put its .deb into $PACKAGES"
        fi
        for file in "$PACKAGES/${package}"_*.deb; do
            dpkg-deb -x "$file" "$scratch/unpacked"
        done
    done
    site=$scratch/unpacked/usr/share/wordpress
    rm -f "$site/.htaccess"
}

# Servers end with this script, even if it is killed.
launch() {
    local log=$1
    shift
    setpriv --pdeathsig KILL "$@" >"$scratch/$log.log" 2>&1 </dev/null &
    started+=($!)
}

start_database() {
    local user
    user=$(id -un)
    mariadb-install-db --no-defaults --user="$user" --datadir="$scratch/db" --auth-root-authentication-method=normal \
        --skip-test-db >"$scratch/install-db.log" 2>&1 || fail "the database cannot be created"
    launch mariadb mariadbd --no-defaults --user="$user" --datadir="$scratch/db" --socket="$scratch/db.sock" \
        --pid-file="$scratch/db.pid" --skip-networking --innodb-buffer-pool-size=64M --innodb-flush-log-at-trx-commit=0
}

write_site() {
    cat >"$site/wp-config.php" <<PHP
<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:$scratch/db.sock');
define('DB_CHARSET', 'utf8mb4');
define('WP_SITEURL', '$address');
define('WP_HOME', '$address');
define('WP_ENVIRONMENT_TYPE', 'local'); // Application passwords without TLS.
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('DISABLE_WP_CRON', true);
\$table_prefix = 'wp_';
define('ABSPATH', __DIR__ . '/');
require ABSPATH . 'wp-settings.php';
PHP
    # What is a file is served as one; the rest is a pretty permalink.
    cat >"$scratch/router.php" <<'PHP'
<?php
$root = rtrim($_SERVER['DOCUMENT_ROOT'], '/');
$path = rawurldecode(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) ?? '/');
$file = realpath($root . $path . (is_dir($root . $path) ? '/index.php' : ''));
if ($file !== false && str_starts_with($file, $root . '/') && $file !== "$root/index.php") {
    return false;
}
$_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = '/index.php';
$_SERVER['SCRIPT_FILENAME'] = "$root/index.php";
chdir($root);
require "$root/index.php";
PHP
    cat >"$scratch/install.php" <<'PHP'
<?php
[, $site, $socket, $address, $wait_s] = $argv;
mysqli_report(MYSQLI_REPORT_OFF);
for ($until = time() + (int) $wait_s; !($database = mysqli_connect('localhost', 'root', '', '', 0, $socket)); usleep(50000)) {
    if (time() > $until) {
        exit("the database does not answer\n");
    }
}
$database->query('CREATE DATABASE wordpress CHARACTER SET utf8mb4');
$_SERVER['HTTP_HOST'] = parse_url($address, PHP_URL_HOST) . ':' . parse_url($address, PHP_URL_PORT);
$_SERVER['REQUEST_URI'] = '/';
define('WP_INSTALLING', true);
require "$site/wp-load.php";
require ABSPATH . 'wp-admin/includes/upgrade.php';
// The letter to the administrator.
add_filter('pre_wp_mail', '__return_true');
wp_install('Harbour Notes', 'mara', 'mara@example.org', true, '', wp_generate_password());
global $wp_rewrite;
$wp_rewrite->set_permalink_structure('/%year%/%monthnum%/%postname%/');
$wp_rewrite->flush_rules(false);
[$password] = WP_Application_Passwords::create_new_application_password(1, ['name' => 'earful']);
echo "EARFUL_WORDPRESS_VERSION=$wp_version\nEARFUL_WORDPRESS_USER=mara\nEARFUL_WORDPRESS_PASSWORD=$password\n";
PHP
}

PATH=$PATH:/usr/sbin
started=()
site=
scratch=$(mktemp -d /tmp/earful-wordpress.XXXXXX)
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

install_programs
unpack_wordpress
start_database
port=$(php -r 'echo explode(":", stream_socket_get_name(stream_socket_server("tcp://127.0.0.1:0"), false))[1];')
address=http://127.0.0.1:$port
write_site
php "$scratch/install.php" "$site" "$scratch/db.sock" "$address" "$WAIT_S" >"$scratch/install.log" 2>&1 ||
    fail "WordPress cannot be installed"
grep -q '^EARFUL_WORDPRESS_PASSWORD=.' "$scratch/install.log" || fail "WordPress gave no application password"
launch php php -S "127.0.0.1:$port" -t "$site" "$scratch/router.php"
curl -fs --retry 100 --retry-delay 1 --retry-connrefused --retry-max-time "$WAIT_S" -o /dev/null "$address/feed/" ||
    fail "WordPress does not answer at $address/feed/"

lines=("EARFUL_WORDPRESS=$address")
while read -r line; do
    lines+=("$line")
done < <(grep '^EARFUL_WORDPRESS_[A-Z]*=' "$scratch/install.log")
printf '%s\n' "${lines[@]}"
if [ $# -gt 0 ]; then
    export "${lines[@]}"
    "$@"
else
    say "running; Ctrl-C stops it"
    wait "${started[@]}"
fi
