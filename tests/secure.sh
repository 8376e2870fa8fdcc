# Certificates for a broker and its clients, in the current directory. Needs openssl and keytool.
set -euo pipefail

key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt; }

authority() {   # NAME
  key >"$1.key"
  openssl req -x509 -new -key "$1.key" -subj "/CN=$1" -days 2 -out "$1.pem"
}

signed() {   # NAME DAYS SAN: a store in PEM with a key and a certificate of the authority's
  key >"$1.key"
  openssl req -new -key "$1.key" -subj "/CN=$1" 2>/dev/null |
    openssl x509 -req -CA authority.pem -CAkey authority.key -CAcreateserial -days "$2" \
      -extfile <(echo "subjectAltName=$3") -out "$1.crt" 2>/dev/null
  cat "$1.key" "$1.crt" >"$1.pem"
}

authority authority
authority stranger
signed broker 2 IP:127.0.0.1,DNS:localhost
signed elsewhere 2 DNS:elsewhere.example
signed expired -1 IP:127.0.0.1
signed client 2 DNS:client
openssl pkcs12 -export -in client.pem -passout pass:client-secret -out client.p12
openssl pkcs8 -topk8 -in client.key -passout pass:key-secret -out locked.key
cat locked.key client.crt >locked.pem
for type in PKCS12 JKS; do
  keytool -importcert -noprompt -alias authority -file authority.pem -keystore trust.$type \
    -storetype $type -storepass trust-secret 2>/dev/null
done
