#include "record/codecs/gzip.hpp"

#include <zlib.h>

#include <limits>
#include <new>

namespace sluice {
namespace {

constexpr int window_bits_of_gzip = 15 + 16;  // the largest window, in a gzip member
constexpr int memory_level = 8;               // zlib's default
constexpr std::size_t room_min = 4096;

Bytef* writable(const std::byte* data) noexcept {
    return reinterpret_cast<Bytef*>(const_cast<std::byte*>(data));  // zlib writes nothing there
}

uInt limited(std::size_t size) noexcept {
    return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

class gzip_compressor final : public compressor {
public:
    explicit gzip_compressor(int level) {
        const int made =
            deflateInit2(&stream_, level, Z_DEFLATED, window_bits_of_gzip, memory_level, Z_DEFAULT_STRATEGY);
        if (made == Z_MEM_ERROR) throw std::bad_alloc();
        ensure(made == Z_OK);
    }
    ~gzip_compressor() override { deflateEnd(&stream_); }

    bool begin(std::size_t, output_buffer&) override { return deflateReset(&stream_) == Z_OK; }

    bool write(bytes piece, bool is_last, output_buffer& to) override {
        stream_.next_in = writable(piece.data());
        stream_.avail_in = limited(piece.size());
        ensure(stream_.avail_in == piece.size());
        for (;;) {
            stream_.next_out = reinterpret_cast<Bytef*>(to.room(room_min));
            const uInt room = limited(to.room_size());
            stream_.avail_out = room;
            const int came = deflate(&stream_, is_last ? Z_FINISH : Z_NO_FLUSH);
            to.add(room - stream_.avail_out);
            if (came == Z_STREAM_END) return true;
            if (came != Z_OK && came != Z_BUF_ERROR) return false;
            if (!is_last && stream_.avail_in == 0 && stream_.avail_out != 0) return true;
        }
    }

private:
    z_stream stream_{};
};

struct inflating {
    z_stream stream{};
    int made = inflateInit2(&stream, window_bits_of_gzip);
    inflating() = default;
    ~inflating() { inflateEnd(&stream); }
    inflating(const inflating&) = delete;
    inflating& operator=(const inflating&) = delete;
};

}  // namespace

std::unique_ptr<compressor> make_gzip_compressor(int level) {
    return std::make_unique<gzip_compressor>(level);
}

error_code decompress_gzip(bytes body, std::size_t size_max, output_buffer& to) {
    inflating in;
    if (in.made != Z_OK) throw std::bad_alloc();
    z_stream& stream = in.stream;
    stream.next_in = writable(body.data());
    stream.avail_in = limited(body.size());
    const std::size_t size_before = to.size();
    for (;;) {
        stream.next_out = reinterpret_cast<Bytef*>(to.room(room_min));
        // One byte beyond the limit shows that it is passed.
        const uInt room = limited(std::min(to.room_size(), size_max - (to.size() - size_before) + 1));
        stream.avail_out = room;
        const int came = inflate(&stream, Z_NO_FLUSH);
        to.add(room - stream.avail_out);
        if (to.size() - size_before > size_max) return errc::protocol_error;
        if (came == Z_STREAM_END) break;
        if (came != Z_OK) return errc::protocol_error;  // Z_BUF_ERROR too: it is cut off
    }
    return stream.avail_in == 0 ? error_code() : errc::protocol_error;
}

}  // namespace sluice
