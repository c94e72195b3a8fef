#include "ace.h"

#include <math.h>

void ace_direct(const ace_points *points, double alpha, size_t count, const size_t *restrict chosen,
                double *restrict response)
{
    const float *restrict rows = points->row, *restrict columns = points->column;
    const float *restrict intensities = points->intensity;
    for (size_t i = 0; i < count; i++) {
        const double row = rows[chosen[i]], column = columns[chosen[i]], intensity = intensities[chosen[i]];
        double numerator = 0.0, denominator = 0.0;
        for (size_t j = 0; j < points->count; j++) {
            const double y = rows[j] - row, x = columns[j] - column, square = y * y + x * x;
            const double weight = square > 0.0 ? 1.0 / sqrt(square > 0.0 ? square : 1.0) : 0.0;
            double r = alpha * (intensity - intensities[j]);
            r = r > 1.0 ? 1.0 : r;
            r = r < -1.0 ? -1.0 : r;
            numerator += weight * r;
            denominator += weight;
        }
        response[i] = denominator > 0.0 ? numerator / denominator : 0.0;
    }
}
