#include "tls/vaes_gcm.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>

#if defined(__x86_64__)

#include <immintrin.h>

// What follows is compiled for processors that most are not: nothing of it may be inlined into, or
// shared with, code that runs before available() has been asked.
#define HPB_VAES __attribute__((target("aes,avx2,pclmul,vaes,vpclmulqdq")))
#define HPB_VAES_INLINE HPB_VAES __attribute__((always_inline)) inline
#if defined(__clang__)
#define HPB_UNROLL _Pragma("clang loop unroll(full)")
#else
#define HPB_UNROLL _Pragma("GCC unroll 16")
#endif

namespace hpb::tls {
namespace {

constexpr std::size_t kBlock = VaesGcm::kBlock;
constexpr std::size_t kStride = VaesGcm::kStride;
constexpr int kRounds128 = 10;
constexpr int kRounds256 = 14;

HPB_VAES_INLINE __m128i load(const std::byte* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
HPB_VAES_INLINE void store(std::byte* to, __m128i block) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), block);
}
HPB_VAES_INLINE __m256i load_pair(const std::byte* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
HPB_VAES_INLINE void store_pair(std::byte* to, __m256i blocks) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), blocks);
}
HPB_VAES_INLINE __m256i twice(__m128i block) {
    return _mm256_broadcastsi128_si256(block);
}

// GCM numbers a block's bits the other way round than the instructions do: bytes are turned over
// when they come in, and what is left, products that are one bit short, is made up for by a hash
// key that was multiplied by x once and for all.
HPB_VAES_INLINE __m128i turned_over() {
    return _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
HPB_VAES_INLINE __m128i turn_over(__m128i block) {
    return _mm_shuffle_epi8(block, turned_over());
}

// ---- the hash (SP 800-38D section 6.4)

constexpr long long kPolynomial = static_cast<long long>(0xc200000000000000);

// A product of 256 bits, low and high halves and what straddles them, modulo GCM's polynomial: two
// steps of 64 bits, each of which makes the lowest 64 zero.
HPB_VAES_INLINE __m128i reduce(__m128i low, __m128i middle, __m128i high) {
    const __m128i polynomial = _mm_set_epi64x(0, kPolynomial);
    low = _mm_xor_si128(low, _mm_slli_si128(middle, 8));
    high = _mm_xor_si128(high, _mm_srli_si128(middle, 8));
    for (int step = 0; step < 2; ++step) {
        const __m128i folded = _mm_clmulepi64_si128(low, polynomial, 0x00);
        low = _mm_xor_si128(_mm_shuffle_epi32(low, 0x4e), folded);
    }
    return _mm_xor_si128(high, low);
}

HPB_VAES_INLINE __m128i multiply(__m128i a, __m128i b) {
    const __m128i middle =
        _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x01), _mm_clmulepi64_si128(a, b, 0x10));
    return reduce(_mm_clmulepi64_si128(a, b, 0x00), middle, _mm_clmulepi64_si128(a, b, 0x11));
}

HPB_VAES_INLINE __m128i times_x(__m128i a) {
    const __m128i carries = _mm_srli_epi64(a, 63);
    const __m128i shifted = _mm_or_si128(_mm_slli_epi64(a, 1), _mm_slli_si128(carries, 8));
    // All ones if the highest bit went over.
    const __m128i over = _mm_sub_epi64(_mm_setzero_si128(), _mm_srli_si128(carries, 8));
    const __m128i mask = _mm_unpacklo_epi64(over, over);
    return _mm_xor_si128(shifted, _mm_and_si128(mask, _mm_set_epi64x(kPolynomial, 1)));
}

HPB_VAES_INLINE __m256i halves_summed(__m256i blocks) {
    return _mm256_xor_si256(blocks, _mm256_shuffle_epi32(blocks, 0x4e));
}
HPB_VAES_INLINE __m128i lanes_summed(__m256i blocks) {
    return _mm_xor_si128(_mm256_castsi256_si128(blocks), _mm256_extracti128_si256(blocks, 1));
}

// Sum of products that are not reduced yet.
struct Products {
    __m256i low, middle, high;
};

// Two blocks of ciphertext times their powers of the key.
HPB_VAES_INLINE void add(Products& sum, __m256i blocks, const std::byte* powers,
                         const std::byte* folded) {
    const __m256i key = load_pair(powers);
    const __m256i low = _mm256_clmulepi64_epi128(blocks, key, 0x00);
    const __m256i high = _mm256_clmulepi64_epi128(blocks, key, 0x11);
    const __m256i middle = _mm256_clmulepi64_epi128(halves_summed(blocks), load_pair(folded), 0x00);
    sum.low = _mm256_xor_si256(sum.low, low);
    sum.middle = _mm256_xor_si256(sum.middle, middle);
    sum.high = _mm256_xor_si256(sum.high, high);
}

HPB_VAES_INLINE __m128i reduce(const Products& sum) {
    const __m256i middle = _mm256_xor_si256(sum.middle, _mm256_xor_si256(sum.low, sum.high));
    return reduce(lanes_summed(sum.low), lanes_summed(middle), lanes_summed(sum.high));
}

// ---- the cipher (FIPS 197)

// Section 5.2. The instruction that ends an encryption substitutes bytes as the schedule wants it:
// it moves none where all columns are the same.
HPB_VAES void expand(ByteSpan key, std::byte* keys, int rounds) {
    const int apart = static_cast<int>(key.size() / kBlock);
    std::copy(key.begin(), key.end(), keys);
    int constant = 1;
    for (int round = apart; round <= rounds; ++round) {
        const __m128i before = load(keys + (round - 1) * 16);
        const bool rotated = round % apart == 0;
        const __m128i last_word = _mm_set1_epi32(rotated ? 0x0c0f0e0d : 0x0f0e0d0c);
        const __m128i mixed = _mm_aesenclast_si128(_mm_shuffle_epi8(before, last_word),
                                                   _mm_set1_epi32(rotated ? constant : 0));
        __m128i sums = load(keys + (round - apart) * 16);
        for (int i = 0; i < 3; ++i) sums = _mm_xor_si128(sums, _mm_slli_si128(sums, 4));
        store(keys + round * 16, _mm_xor_si128(sums, mixed));
        if (rotated) constant = (constant << 1) ^ (constant >= 0x80 ? 0x11b : 0);
    }
}

template <int kRounds>
HPB_VAES_INLINE __m128i encrypt(const std::byte* keys, __m128i block) {
    block = _mm_xor_si128(block, load(keys));
    HPB_UNROLL
    for (int round = 1; round < kRounds; ++round) {
        block = _mm_aesenc_si128(block, load(keys + round * 16));
    }
    return _mm_aesenclast_si128(block, load(keys + kRounds * 16));
}

// ---- a text (SP 800-38D section 7)

template <int kRounds>
class Text {
public:
    HPB_VAES_INLINE Text(const VaesGcm::Schedule& key, const Aead::Nonce& nonce, ByteSpan header)
        : key_(key), hash_(_mm_setzero_si128()) {
        alignas(16) std::array<std::byte, kBlock> first{};
        std::copy(nonce.begin(), nonce.end(), first.begin());
        first.back() = std::byte{1};
        tag_mask_ = encrypt<kRounds>(keys(), load(first.data()));
        counter_ = _mm_add_epi32(turn_over(load(first.data())), _mm_set_epi32(0, 0, 0, 1));
        header_size_ = header.size();
        for (; !header.empty(); header = header.subspan(std::min(header.size(), kBlock))) {
            hash(padded(header.first(std::min(header.size(), kBlock))));
        }
    }

    HPB_VAES_INLINE void seal(ByteSpan content, std::byte last, std::byte* out) {
        const std::byte* in = content.data();
        std::size_t left = content.size();
        // The hash goes one stride behind the cipher, so that neither waits for the other.
        bool behind = false;
        for (; left >= kStrideBytes;
             left -= kStrideBytes, in += kStrideBytes, out += kStrideBytes) {
            if (behind) {
                stride<true>(in, out, out - kStrideBytes);
            } else {
                stride<false>(in, out, nullptr);
            }
            behind = true;
        }
        if (behind) hash_stride(out - kStrideBytes);
        for (; left >= kBlock; left -= kBlock, in += kBlock, out += kBlock) {
            const __m128i sealed = _mm_xor_si128(load(in), key_stream());
            store(out, sealed);
            hash(sealed);
        }
        alignas(16) std::array<std::byte, kBlock> rest{};
        std::copy(in, in + left, rest.begin());
        rest[left] = last;
        store(rest.data(), _mm_xor_si128(load(rest.data()), key_stream()));
        std::copy(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(left) + 1, out);
        hash(padded({rest.data(), left + 1}));
        store(out + left + 1, tag(content.size() + 1));
    }

    // @return the tag that belongs to `sealed`.
    HPB_VAES_INLINE __m128i open(ByteSpan sealed, std::byte* out, std::byte& last) {
        const std::byte* in = sealed.data();
        std::size_t left = sealed.size() - 1;
        for (; left >= kStrideBytes;
             left -= kStrideBytes, in += kStrideBytes, out += kStrideBytes) {
            stride<true>(in, out, in);
        }
        for (; left >= kBlock; left -= kBlock, in += kBlock, out += kBlock) {
            const __m128i block = load(in);
            hash(block);
            store(out, _mm_xor_si128(block, key_stream()));
        }
        const __m128i block = padded({in, left + 1});
        hash(block);
        alignas(16) std::array<std::byte, kBlock> rest;
        store(rest.data(), _mm_xor_si128(block, key_stream()));
        std::copy(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(left), out);
        last = rest[left];
        return tag(sealed.size());
    }

private:
    static constexpr std::size_t kStrideBytes = kStride * kBlock;
    static constexpr int kPairs = kStride / 2;

    [[nodiscard]] HPB_VAES_INLINE const std::byte* keys() const { return key_.round_keys.data(); }

    static HPB_VAES_INLINE __m128i padded(ByteSpan bytes) {
        alignas(16) std::array<std::byte, kBlock> block{};
        std::copy(bytes.begin(), bytes.end(), block.begin());
        return load(block.data());
    }

    HPB_VAES_INLINE __m128i key_stream() {
        const __m128i block = encrypt<kRounds>(keys(), turn_over(counter_));
        counter_ = _mm_add_epi32(counter_, _mm_set_epi32(0, 0, 0, 1));
        return block;
    }

    HPB_VAES_INLINE void hash(__m128i block) {
        const std::byte* h = key_.powers.data() + (kStride - 1) * kBlock;
        hash_ = multiply(_mm_xor_si128(hash_, turn_over(block)), load(h));
    }

    HPB_VAES_INLINE void hash_pair(Products& sum, const std::byte* blocks, int pair) {
        const __m256i order = twice(turned_over());
        __m256i turned = _mm256_shuffle_epi8(load_pair(blocks + pair * 32), order);
        if (pair == 0) turned = _mm256_xor_si256(turned, _mm256_zextsi128_si256(hash_));
        add(sum, turned, key_.powers.data() + pair * 32, key_.folded.data() + pair * 32);
    }

    HPB_VAES_INLINE void hash_stride(const std::byte* blocks) {
        Products sum{};
        HPB_UNROLL
        for (int pair = 0; pair < kPairs; ++pair) hash_pair(sum, blocks, pair);
        hash_ = reduce(sum);
    }

    // A stride through the cipher and, round by round between it, another one through the hash:
    // each has instructions that the other leaves units free for.
    template <bool kHash>
    HPB_VAES_INLINE void stride(const std::byte* in, std::byte* out, const std::byte* hashed) {
        const __m256i order = twice(turned_over());
        __m256i counters =
            _mm256_add_epi32(twice(counter_), _mm256_set_epi32(0, 0, 0, 1, 0, 0, 0, 0));
        __m256i blocks[kPairs];
        const __m256i first_key = twice(load(keys()));
        HPB_UNROLL
        for (int pair = 0; pair < kPairs; ++pair) {
            blocks[pair] = _mm256_xor_si256(_mm256_shuffle_epi8(counters, order), first_key);
            counters = _mm256_add_epi32(counters, _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 2));
        }
        Products sum{};
        HPB_UNROLL
        for (int round = 1; round < kRounds; ++round) {
            const __m256i key = twice(load(keys() + round * 16));
            HPB_UNROLL
            for (int pair = 0; pair < kPairs; ++pair) {
                blocks[pair] = _mm256_aesenc_epi128(blocks[pair], key);
            }
            if (kHash && round <= kPairs) hash_pair(sum, hashed, round - 1);
        }
        const __m256i last_key = twice(load(keys() + kRounds * 16));
        HPB_UNROLL
        for (int pair = 0; pair < kPairs; ++pair) {
            const __m256i text = _mm256_xor_si256(last_key, load_pair(in + pair * 32));
            blocks[pair] = _mm256_aesenclast_epi128(blocks[pair], text);
        }
        if (kHash) hash_ = reduce(sum);
        HPB_UNROLL
        for (int pair = 0; pair < kPairs; ++pair) store_pair(out + pair * 32, blocks[pair]);
        counter_ = _mm256_castsi256_si128(counters);
    }

    HPB_VAES_INLINE __m128i tag(std::size_t size) {
        // In bits.
        const __m128i sizes = _mm_set_epi64x(static_cast<long long>(header_size_) * 8,
                                             static_cast<long long>(size) * 8);
        hash(turn_over(sizes));
        return _mm_xor_si128(turn_over(hash_), tag_mask_);
    }

    const VaesGcm::Schedule& key_;
    __m128i tag_mask_;
    __m128i counter_;  // turned over, of the next block
    __m128i hash_;
    std::size_t header_size_;
};

HPB_VAES void schedule(ByteSpan key, VaesGcm::Schedule& made) {
    const bool long_key = key.size() == 32;
    std::byte* keys = made.round_keys.data();
    expand(key, keys, long_key ? kRounds256 : kRounds128);
    const __m128i zero = _mm_setzero_si128();
    const __m128i h = times_x(
        turn_over(long_key ? encrypt<kRounds256>(keys, zero) : encrypt<kRounds128>(keys, zero)));
    __m128i power = h;
    for (std::size_t i = kStride; i-- > 0; power = multiply(power, h)) {
        store(made.powers.data() + i * kBlock, power);
        store(made.folded.data() + i * kBlock,
              _mm_xor_si128(power, _mm_shuffle_epi32(power, 0x4e)));
    }
}

template <int kRounds>
HPB_VAES void seal_text(const VaesGcm::Schedule& key, const Aead::Nonce& nonce, ByteSpan header,
                        ByteSpan content, std::byte last, std::byte* out) {
    Text<kRounds>(key, nonce, header).seal(content, last, out);
}

template <int kRounds>
HPB_VAES void open_text(const VaesGcm::Schedule& key, const Aead::Nonce& nonce, ByteSpan header,
                        ByteSpan sealed, std::byte* out, std::byte& last, std::byte* tag) {
    store(tag, Text<kRounds>(key, nonce, header).open(sealed, out, last));
}

}  // namespace

bool VaesGcm::available() {
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") &&
           __builtin_cpu_supports("avx2") && __builtin_cpu_supports("vaes") &&
           __builtin_cpu_supports("vpclmulqdq");
}

VaesGcm::VaesGcm(ByteSpan key) : long_key_(key.size() == 32) {
    schedule(key, schedule_);
}

VaesGcm::~VaesGcm() {
    OPENSSL_cleanse(&schedule_, sizeof schedule_);
}

bool VaesGcm::seal(const Nonce& nonce, ByteSpan header, ByteSpan content, std::byte last,
                   std::byte* out) {
    const auto seal_it = long_key_ ? seal_text<kRounds256> : seal_text<kRounds128>;
    seal_it(schedule_, nonce, header, content, last, out);
    return true;
}

Aead::Opening VaesGcm::open(const Nonce& nonce, ByteSpan header, ByteSpan sealed, std::byte* out,
                            std::byte& last) {
    const auto open_it = long_key_ ? open_text<kRounds256> : open_text<kRounds128>;
    const std::size_t text = sealed.size() - kTagSize;
    std::array<std::byte, kTagSize> tag;
    open_it(schedule_, nonce, header, sealed.first(text), out, last, tag.data());
    const bool equal = CRYPTO_memcmp(tag.data(), sealed.data() + text, kTagSize) == 0;
    return equal ? Opening::done : Opening::forged;
}

}  // namespace hpb::tls

#else  // another architecture: OpenSSL has its instructions

namespace hpb::tls {

bool VaesGcm::available() {
    return false;
}
VaesGcm::VaesGcm(ByteSpan) {
    std::abort();
}
VaesGcm::~VaesGcm() = default;
bool VaesGcm::seal(const Nonce&, ByteSpan, ByteSpan, std::byte, std::byte*) {
    return false;
}
Aead::Opening VaesGcm::open(const Nonce&, ByteSpan, ByteSpan, std::byte*, std::byte&) {
    return Opening::failed;
}

}  // namespace hpb::tls

#endif
