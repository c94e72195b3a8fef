// Equalizes an image of OpenCV by ACE, with the library libretinagan_ace.
//
//     equalize_opencv IMAGE OUT [MASK]
//
// Any format that OpenCV reads and writes. MASK is an image of the same size, 0 outside the retina.
#include <retinagan/ace.h>

#include <iostream>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <stdexcept>
#include <string>

// Scratch memory of ACE, kept from frame to frame. One for each thread that equalizes.
class Equalizer {
public:
    Equalizer() = default;
    Equalizer(const Equalizer &) = delete;
    Equalizer &operator=(const Equalizer &) = delete;
    ~Equalizer() { ace_release(&workspace_); }

    // `image` is 8UC1 or 8UC3, its channels in any order; `mask` is empty or 8UC1. Nothing is allocated from the second
    // frame of a size on, if `result` is passed again.
    void operator()(const cv::Mat &image, const cv::Mat &mask, cv::Mat &result, double alpha = 5.0, int threads = 2)
    {
        if (image.depth() != CV_8U)
            throw std::invalid_argument("the image is not of 8 bits");
        if (!mask.empty() && (mask.type() != CV_8UC1 || mask.size() != image.size()))
            throw std::invalid_argument("the mask is not of 8 bits and of the image's size");
        // ACE's images are dense: a part of an image, or one with padded rows, is copied.
        const cv::Mat dense = image.isContinuous() ? image : image.clone();
        const cv::Mat inside = mask.isContinuous() ? mask : mask.clone();
        result.create(image.size(), image.type());
        if (!result.isContinuous() || result.data == dense.data)
            result = cv::Mat(image.size(), image.type());
        const ace_task task = {static_cast<size_t>(image.rows), static_cast<size_t>(image.cols),
                               static_cast<size_t>(image.channels()), alpha, static_cast<size_t>(threads), ACE_BEST};
        const int status = ace_equalize_8bit(&task, dense.ptr(), inside.empty() ? nullptr : inside.ptr(), &workspace_,
                                             result.ptr(), nullptr);
        if (status != ACE_OK)
            throw std::runtime_error(ace_message(status));
    }

private:
    ace_workspace workspace_ = {nullptr, 0};
};

int main(int count, char **arguments)
{
    if (count != 3 && count != 4) {
        std::cerr << "usage: equalize_opencv IMAGE OUT [MASK]\n";
        return 1;
    }
    try {
        const cv::Mat image = cv::imread(arguments[1], cv::IMREAD_COLOR);
        const cv::Mat mask = count == 4 ? cv::imread(arguments[3], cv::IMREAD_GRAYSCALE) : cv::Mat();
        if (image.empty() || (count == 4 && mask.empty()))
            throw std::runtime_error(std::string(arguments[image.empty() ? 1 : 3]) + " cannot be read as an image");
        Equalizer equalize;
        cv::Mat result;
        equalize(image, mask, result);
        if (!cv::imwrite(arguments[2], result))
            throw std::runtime_error(std::string(arguments[2]) + " cannot be written");
    } catch (const std::exception &error) { // of OpenCV, too
        std::cerr << error.what() << "\n";
        return 1;
    }
    return 0;
}
